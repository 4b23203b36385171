/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Heartbeats as bytes: written, signed, read.
 */

#include "wire/beat.h"

#include <assert.h>
#include <string.h>

enum {
    VERSION = 1,
    PATH_OFF = 3,
    ID_OFF = 4,
    LIFE_OFF = 8,
    NUMBER_OFF = 16,
    HEARD_LIFE_OFF = 24,
    HEARD_NUMBER_OFF = 32,
    HELD_OFF = 40,
    HASH_OFF = 44,
    PERIOD_OFF = 52,
    TURN_OFF = 54,
    FLAGS_OFF = 55,
    TEXT_MAX = 255, /* its length is one byte */
};

_Static_assert((int)FLAGS_OFF + 1 == (int)BEAT_HEAD_BYTES, "the name follows the flags");

/* ---- numbers ---- */

static void put(uint8_t *out, uint64_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        out[i] = (uint8_t)(value >> 8 * (n_bytes - 1 - i));
}

static uint64_t get(const uint8_t *in, int n_bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < n_bytes; i++)
        value = value << 8 | in[i];
    return value;
}

/* ---- keys ---- */

void beat_keys_add(struct beat_keys *keys, beat_mac_fn *mac, void *key)
{
    uint8_t hash[BEAT_MAC_BYTES];
    assert(keys->n_items < BEAT_KEYS_MAX);
    struct beat_key *item = &keys->items[keys->n_items++];
    item->mac = mac;
    item->key = key;
    mac(key, SLICE("key id"), hash); /* no beat begins like this */
    memcpy(item->id, hash, BEAT_ID_BYTES);
}

static const struct beat_key *find_key(const struct beat_keys *keys, const uint8_t *id)
{
    for (size_t i = 0; i < keys->n_items; i++)
        if (memcmp(keys->items[i].id, id, BEAT_ID_BYTES) == 0)
            return &keys->items[i];
    return NULL;
}

/* ---- writing ---- */

static void put_text(struct beat_writer *writer, struct slice text)
{
    assert(text.len <= TEXT_MAX);
    writer->bytes[writer->len++] = (uint8_t)text.len;
    if (text.len)
        memcpy(writer->bytes + writer->len, text.ptr, text.len);
    writer->len += text.len;
}

void beat_begin(struct beat_writer *writer, const struct beat *beat)
{
    uint8_t *bytes = writer->bytes;
    assert(beat->name.len > 0 && beat->name.len <= BEAT_NAME_MAX && beat->path < BEAT_PATHS_MAX &&
           beat->period_ms != 0);
    memset(bytes, 0, BEAT_HEAD_BYTES);
    memcpy(bytes, "WB", 2);
    bytes[2] = VERSION;
    bytes[PATH_OFF] = beat->path;
    put(bytes + LIFE_OFF, beat->life, 8);
    put(bytes + NUMBER_OFF, beat->number, 8);
    put(bytes + HEARD_LIFE_OFF, beat->heard_life, 8);
    put(bytes + HEARD_NUMBER_OFF, beat->heard_number, 8);
    put(bytes + HELD_OFF, beat->held_us, 4);
    put(bytes + HASH_OFF, beat->file_hash, 8);
    put(bytes + PERIOD_OFF, beat->period_ms, 2);
    bytes[TURN_OFF] = beat->turn;
    bytes[FLAGS_OFF] = beat->flags;
    writer->len = BEAT_HEAD_BYTES;
    put_text(writer, beat->name);
}

bool beat_add_fact(struct beat_writer *writer, const struct beat_fact *fact)
{
    uint64_t bits;
    size_t need = BEAT_FACT_BYTES + fact->name.len + fact->reason.len;
    assert(fact->name.len <= TEXT_MAX && fact->reason.len <= TEXT_MAX);
    if (writer->len + need + BEAT_MAC_BYTES > BEAT_BYTES_MAX)
        return false;
    memcpy(&bits, &fact->value, sizeof(bits));
    writer->bytes[writer->len] = fact->state;
    put(writer->bytes + writer->len + 1, fact->age_s, 4);
    put(writer->bytes + writer->len + 5, bits, 8);
    writer->len += 13;
    put_text(writer, fact->name);
    put_text(writer, fact->reason);
    return true;
}

size_t beat_finish(struct beat_writer *writer, const struct beat_keys *keys)
{
    assert(keys->n_items > 0 && writer->len + BEAT_MAC_BYTES <= BEAT_BYTES_MAX);
    const struct beat_key *key = &keys->items[0];
    memcpy(writer->bytes + ID_OFF, key->id, BEAT_ID_BYTES);
    key->mac(key->key, slice_make((const char *)writer->bytes, writer->len),
             writer->bytes + writer->len);
    writer->len += BEAT_MAC_BYTES;
    return writer->len;
}

/* ---- reading ---- */

/* A text behind its length, off the front of *rest. False: it is cut off. */
static bool cut_text(struct slice *rest, struct slice *ret_text)
{
    size_t len = rest->len ? (uint8_t)rest->ptr[0] : 0;
    if (rest->len < 1 + len)
        return false;
    *ret_text = slice_make(rest->ptr + 1, len);
    *rest = slice_skip(*rest, 1 + len);
    return true;
}

bool beat_next_fact(struct slice *rest, struct beat_fact *ret_fact)
{
    if (rest->len < BEAT_FACT_BYTES)
        return false;
    const uint8_t *bytes = (const uint8_t *)rest->ptr;
    uint64_t bits = get(bytes + 5, 8);
    struct slice texts = slice_skip(*rest, 13);
    struct beat_fact fact = {.state = bytes[0], .age_s = (uint32_t)get(bytes + 1, 4)};
    memcpy(&fact.value, &bits, sizeof(bits));
    if (!cut_text(&texts, &fact.name) || !cut_text(&texts, &fact.reason))
        return false;
    *rest = texts;
    *ret_fact = fact;
    return true;
}

static bool are_facts(struct slice facts)
{
    struct beat_fact fact;
    while (beat_next_fact(&facts, &fact))
        ;
    return facts.len == 0;
}

enum beat_result beat_read(struct slice datagram, const struct beat_keys *keys,
                           struct beat *ret_beat)
{
    uint8_t mac[BEAT_MAC_BYTES];
    const uint8_t *bytes = (const uint8_t *)datagram.ptr;
    if (datagram.len < BEAT_HEAD_BYTES + 2 + BEAT_MAC_BYTES || datagram.len > BEAT_BYTES_MAX ||
        memcmp(bytes, "WB", 2) != 0 || bytes[2] != VERSION)
        return BEAT_MALFORMED;
    const struct beat_key *key = find_key(keys, bytes + ID_OFF);
    if (!key)
        return BEAT_NO_KEY;
    size_t len = datagram.len - BEAT_MAC_BYTES;
    key->mac(key->key, slice_make(datagram.ptr, len), mac);
    if (!slice_equal_secret(slice_make((const char *)mac, BEAT_MAC_BYTES),
                            slice_skip(datagram, len)))
        return BEAT_FORGED;
    struct slice rest = slice_skip(slice_make(datagram.ptr, len), BEAT_HEAD_BYTES);
    struct beat beat = {
        .path = bytes[PATH_OFF],
        .life = get(bytes + LIFE_OFF, 8),
        .number = get(bytes + NUMBER_OFF, 8),
        .heard_life = get(bytes + HEARD_LIFE_OFF, 8),
        .heard_number = get(bytes + HEARD_NUMBER_OFF, 8),
        .held_us = (uint32_t)get(bytes + HELD_OFF, 4),
        .file_hash = get(bytes + HASH_OFF, 8),
        .period_ms = (uint16_t)get(bytes + PERIOD_OFF, 2),
        .turn = bytes[TURN_OFF],
        .flags = bytes[FLAGS_OFF],
    };
    if (!cut_text(&rest, &beat.name) || beat.name.len == 0 || beat.name.len > BEAT_NAME_MAX ||
        beat.path >= BEAT_PATHS_MAX || beat.life == 0 || beat.number == 0 || beat.period_ms == 0 ||
        !are_facts(rest))
        return BEAT_MALFORMED;
    beat.facts = rest;
    *ret_beat = beat;
    return BEAT_OK;
}
