/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir-answer PORT ZONE FILE [ZONE FILE ...]: answers from zone files over UDP at 127.0.0.1, one
 * query at a time, with what dns/answer.h writes and nothing around it: no policy, no OPT record.
 * For tests that hold zones and answers against other servers.
 */
#include "dns/answer.h"
#include "base/mem.h"
#include "wire/dns_name.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ZONES_MAX = 16, FILE_BYTES_MAX = 1 << 24 };

static void report(void *ctx, enum zone_severity severity, struct zone_at at, const char *text,
                   const char *hint)
{
    (void)ctx;
    fprintf(stderr, "%s:%u:%u: %s: %s%s%s\n", at.path ? at.path : "-", at.line, at.column,
            severity == ZONE_ERROR ? "error" : "warning", text, hint ? "; " : "", hint ? hint : "");
}

static struct zone *read_zone(const char *origin, const char *path)
{
    uint8_t name[DNS_NAME_MAX];
    size_t len;
    FILE *file = fopen(path, "rb");
    if (!file || dns_name_read(slice_from(origin), DNS_ROOT, name, &len, NULL) < 0)
        return NULL;
    char *bytes = mem_alloc(FILE_BYTES_MAX);
    size_t n = fread(bytes, 1, FILE_BYTES_MAX, file);
    fclose(file);
    struct zone_build *build = zone_build_create(slice_make((const char *)name, len), report, NULL);
    zone_build_file(build, path, slice_make(bytes, n));
    mem_free(bytes);
    return zone_build_finish(&build);
}

static void serve(int fd, const struct zone_set *set)
{
    static uint8_t packet[DNS_MESSAGE_MAX], out[DNS_UDP_EDNS];
    const struct answer_view view = {set, NULL};
    const struct addr nobody = {.len = 0};
    for (uint32_t random = 1;; random++) {
        struct addr from = {.len = sizeof(from.in4)};
        struct dns_query query;
        struct answer_facts facts;
        const struct answer_ask ask = {&query, &nobody, random};
        ssize_t n = recvfrom(fd, packet, sizeof(packet), 0, &from.sa, &from.len);
        if (n < 0 || dns_query_parse(slice_make((const char *)packet, (size_t)n), &query) != DNS_OK)
            continue;
        size_t limit = query.udp_bytes < sizeof(out) ? query.udp_bytes : sizeof(out);
        size_t len = answer_write(&view, &ask, out, limit, &facts);
        sendto(fd, out, len, 0, &from.sa, from.len);
    }
}

int main(int argc, char **argv)
{
    struct zone *zones[ZONES_MAX];
    size_t n_zones = 0;
    struct addr addr;
    uint64_t port;
    if (argc < 4 || slice_to_u64(slice_from(argv[1]), &port) < 0 || port > UINT16_MAX ||
        addr_parse_ip(SLICE("127.0.0.1"), (uint16_t)port, &addr, NULL) < 0) {
        fprintf(stderr, "usage: weir-answer PORT ZONE FILE [ZONE FILE ...]\n");
        return 2;
    }
    for (int i = 2; i + 1 < argc && n_zones < ZONES_MAX; i += 2) {
        zones[n_zones] = read_zone(argv[i], argv[i + 1]);
        if (!zones[n_zones++])
            return 1;
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, &addr.sa, addr.len) < 0) {
        perror("weir-answer");
        return 1;
    }
    serve(fd, zone_set_create(zones, n_zones, 1));
}
