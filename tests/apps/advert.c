/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A node of VRRP that only speaks: what is sent here is held against keepalived and tshark.
 *
 *     weir-advert INTERFACE ID PRIORITY VERSION rfc5798|rfc9568 SOURCE TARGET|group ADDRESS...
 *
 * Until standard input ends it sends an advertisement every 100 ms and tells the link where each
 * address is; then it resigns. Each advertisement that it hears is a line: its sender, priority,
 * and "fine" or why it is refused.
 */

#include "net/packet.h"
#include "net/raw.h"
#include "net/rtnl.h"
#include "wire/announce.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EVERY_MS = 100, ADDRESSES_MAX = 8, INTERVAL_V2_CS = 100, INTERVAL_CS = 10 };

struct speaker {
    struct raw raw;
    int packets;
    struct rtnl_link link;
    struct vrrp_carrier carrier;
    struct vrrp_advert advert;
    size_t n;
    struct vrrp_ip addresses[ADDRESSES_MAX];
    char bytes[ADDRESSES_MAX * 16];
};

static void die(const char *text)
{
    fprintf(stderr, "weir-advert: %s\n", text);
    exit(1);
}

static struct vrrp_ip ip_of(const char *text)
{
    struct addr addr;
    struct err err = ERR_NONE;
    if (addr_parse_ip(slice_from(text), 0, &addr, &err) < 0)
        die(err.text);
    return vrrp_ip_of(&addr);
}

static uint8_t number_of(const char *text)
{
    uint64_t value = 0;
    if (slice_to_u64(slice_from(text), &value) < 0 || value > UINT8_MAX)
        die("a number from 0 to 255 is wanted");
    return (uint8_t)value;
}

static void read_words(struct speaker *speaker, int n, char **words)
{
    bool is_group = strcmp(words[7], "group") == 0;
    speaker->carrier.source = ip_of(words[6]);
    bool is_ipv6 = speaker->carrier.source.n_bytes == 16;
    speaker->carrier.target = is_group ? vrrp_group(is_ipv6) : ip_of(words[7]);
    speaker->carrier.ttl = VRRP_TTL;
    for (int i = 8; i < n && speaker->n < ADDRESSES_MAX; i++) {
        struct vrrp_ip *ip = &speaker->addresses[speaker->n++];
        *ip = ip_of(words[i]);
        memcpy(speaker->bytes + speaker->advert.addresses.len, ip->bytes, ip->n_bytes);
        speaker->advert.addresses.len += ip->n_bytes;
    }
    speaker->advert.addresses.ptr = speaker->bytes;
    speaker->advert.is_ipv6 = is_ipv6;
    speaker->advert.vrid = number_of(words[2]);
    speaker->advert.priority = number_of(words[3]);
    speaker->advert.version = number_of(words[4]);
    speaker->advert.interval_cs = speaker->advert.version == 2 ? INTERVAL_V2_CS : INTERVAL_CS;
    bool is_short = strcmp(words[5], "rfc9568") == 0 || speaker->advert.version == 2;
    speaker->advert.checksum = is_short ? VRRP_CHECKSUM_RFC9568 : VRRP_CHECKSUM_RFC5798;
}

static void open_all(struct speaker *speaker, const char *name)
{
    struct err err = ERR_NONE;
    struct rtnl rtnl;
    if (rtnl_open(NULL, &rtnl, NULL, NULL, &err) < 0)
        die(err.text);
    if (rtnl_link_by_name(&rtnl, name, &speaker->link, &err) != 0)
        die(err.text[0] ? err.text : "there is no such interface");
    rtnl_close(&rtnl);
    const struct raw_options options = {.is_ipv6 = speaker->advert.is_ipv6,
                                        .is_unicast =
                                            !vrrp_ip_is_multicast(&speaker->carrier.target),
                                        .index = speaker->link.index,
                                        .name = name};
    speaker->packets = packet_open(&err);
    if (speaker->packets < 0 || raw_open(&speaker->raw, &options, &err) < 0)
        die(err.text);
}

static void speak(const struct speaker *speaker)
{
    uint8_t bytes[VRRP_PACKET_MAX_BYTES];
    struct err err = ERR_NONE;
    int len = vrrp_write(&speaker->advert, &speaker->carrier, bytes, sizeof(bytes));
    if (len < 0)
        die("this is no advertisement");
    struct slice payload = slice_make((const char *)bytes, (size_t)len);
    if (raw_write(&speaker->raw, &speaker->carrier, payload, &err) < 0)
        die(err.text);
}

static void announce(const struct speaker *speaker)
{
    uint8_t frame[ANNOUNCE_MAX_BYTES];
    struct err err = ERR_NONE;
    for (size_t i = 0; i < speaker->n; i++) {
        int len = announce_write(&speaker->addresses[i], speaker->link.mac, false, frame);
        if (packet_send(speaker->packets, speaker->link.index, frame, (size_t)len, &err) < 0)
            die(err.text);
    }
}

static void hear(const struct speaker *speaker)
{
    uint8_t buf[RAW_READ_BYTES];
    char text[ADDR_TEXT_MAX];
    struct raw_packet packet;
    struct vrrp_advert advert = {.priority = 0};
    while (raw_read(&speaker->raw, buf, sizeof(buf), &packet) > 0) {
        enum vrrp_refusal refusal = packet.refusal;
        if (refusal == VRRP_FINE)
            refusal = vrrp_parse(packet.payload, &packet.carrier, &advert);
        printf("%s %u %s\n", vrrp_ip_format(&packet.carrier.source, text), advert.priority,
               vrrp_refusal_name(refusal));
        fflush(stdout);
    }
}

/* Reads what comes for a while. False: standard input has ended. */
static bool listen_until_next(const struct speaker *speaker)
{
    struct pollfd both[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = speaker->raw.fd, .events = POLLIN}};
    for (int i = 0; i < EVERY_MS / 10; i++) {
        if (poll(both, 2, EVERY_MS / 10) > 0 && both[0].revents)
            return false;
        hear(speaker);
    }
    return true;
}

int main(int n, char **words)
{
    static struct speaker speaker;
    if (n < 9)
        die("INTERFACE ID PRIORITY VERSION rfc5798|rfc9568 SOURCE TARGET|group ADDRESS...");
    read_words(&speaker, n, words);
    open_all(&speaker, words[1]);
    do {
        speak(&speaker);
        announce(&speaker);
    } while (listen_until_next(&speaker));
    speaker.advert.priority = VRRP_PRIORITY_RESIGN;
    speak(&speaker);
    raw_close(&speaker.raw);
    close(speaker.packets);
    return 0;
}
