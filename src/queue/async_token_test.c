/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Tokens of jobs: what is accepted, by which secrets, and what is not.
 */

#include "queue/async_token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define OLD "b2xkIHNlY3JldCBvZiAzMiByYW5kb20gYnl0ZXMgMTI="
#define NEW "bmV3IHNlY3JldCBvZiAzMiByYW5kb20gYnl0ZXMgNDU="

static const struct job job = {.id = 0x0102030405060708, .created_s = 1000};

static struct slice make(struct async_keys *keys, const char *secret, const char *node,
                         char token[JOBASYNC_TOKEN_CHARS])
{
    async_keys_init(keys, slice_from(secret), node);
    async_token_write(keys, &job, token);
    return slice_make(token, JOBASYNC_TOKEN_CHARS);
}

static void test_token(void **state)
{
    (void)state;
    struct async_keys keys;
    char room[JOBASYNC_TOKEN_CHARS];
    struct slice token = make(&keys, OLD "\n", "a", room);
    uint64_t id = 0;
    assert_int_equal(async_token_id(token, &id), 0);
    assert_true(id == job.id);
    assert_true(async_token_is_of(&keys, token, &job));
    async_keys_deinit(&keys);
}

/* Another job under the id, another one beside it, another node: none is meant. */
static void test_others(void **state)
{
    (void)state;
    struct async_keys keys, other;
    char room[JOBASYNC_TOKEN_CHARS];
    struct slice token = make(&keys, OLD "\n", "a", room);
    struct job later = job, next = job;
    later.created_s++;
    next.id++;
    assert_false(async_token_is_of(&keys, token, &later));
    assert_false(async_token_is_of(&keys, token, &next));
    async_keys_init(&other, SLICE(OLD "\n"), "b");
    assert_false(async_token_is_of(&other, token, &job));
    async_keys_deinit(&other);
    async_keys_init(&other, SLICE(NEW "\n"), "a");
    assert_false(async_token_is_of(&other, token, &job));
    async_keys_deinit(&other);
    async_keys_deinit(&keys);
}

/* While the secret is changed, tokens of both are good. */
static void test_rotation(void **state)
{
    (void)state;
    struct async_keys keys, both;
    char room[JOBASYNC_TOKEN_CHARS];
    struct slice token = make(&keys, OLD "\n", "", room);
    async_keys_init(&both, SLICE(NEW "\n" OLD "\n"), "");
    assert_true(async_token_is_of(&both, token, &job));
    async_token_write(&both, &job, room);
    assert_false(async_token_is_of(&keys, token, &job));
    async_keys_deinit(&both);
    async_keys_deinit(&keys);
}

/* Any character that is another makes it another token, and any length. */
static void test_forged(void **state)
{
    (void)state;
    struct async_keys keys;
    char room[JOBASYNC_TOKEN_CHARS + 1];
    struct slice token = make(&keys, OLD "\n", "a", room);
    uint64_t id;
    for (size_t i = 0; i < JOBASYNC_TOKEN_CHARS; i++) {
        char was = room[i];
        room[i] = was == 'A' ? 'B' : 'A';
        assert_false(async_token_is_of(&keys, token, &job));
        room[i] = '!';
        assert_int_equal(async_token_id(token, &id), -1);
        assert_false(async_token_is_of(&keys, token, &job));
        room[i] = was;
        assert_int_equal(async_token_id(slice_make(room, i), &id), -1);
    }
    room[JOBASYNC_TOKEN_CHARS] = 'A';
    assert_int_equal(async_token_id(slice_make(room, sizeof(room)), &id), -1);
    assert_true(async_token_is_of(&keys, token, &job));
    async_keys_deinit(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_forged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
