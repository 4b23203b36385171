/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who holds an address that could not be bound: the kernel's table of sockets names an inode, and
 * some process has a descriptor of it. Only for a message; whatever fails here leaves the message
 * shorter.
 */

#include "super/internal.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TCP_STATE_LISTEN = 0x0a };

/* A number of at most 16 digits, or UINT64_MAX where there is none. */
static uint64_t hex_of(struct slice word)
{
    char digits[17];
    char *end;
    slice_copy(word, digits, sizeof(digits));
    unsigned long long value = strtoull(digits, &end, 16);
    return end != digits && *end == '\0' ? value : UINT64_MAX;
}

/*
 * A row of the table: words between blanks, and in two of them numbers in hexadecimal.
 *
 *     sl local_address rem_address st tx_queue:rx_queue tr:when retrnsmt uid timeout inode ...
 *     0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 12345 ...
 */
static bool row_matches(const char *line, uint16_t port, bool only_listening, uint64_t *ret_inode)
{
    enum { LOCAL = 1, STATE = 3, INODE = 9, N_WORDS };
    struct slice words[N_WORDS];
    struct slice rest = slice_from(line);
    for (size_t n = 0; n < N_WORDS; n++) {
        rest = slice_trim(rest);
        words[n] = slice_cut(&rest, ' ');
    }
    struct slice local_port = words[LOCAL];
    slice_cut(&local_port, ':');
    return hex_of(local_port) == port &&
           (!only_listening || hex_of(words[STATE]) == TCP_STATE_LISTEN) &&
           slice_to_u64(words[INODE], ret_inode) == 0;
}

/* The inode of the socket that has the port in a table of /proc/net, 0: none. */
static uint64_t find_inode(const char *table, uint16_t port, bool only_listening)
{
    FILE *file = fopen(table, "re");
    char line[512];
    uint64_t found = 0;
    while (file && !found && fgets(line, sizeof(line), file)) {
        uint64_t inode;
        if (row_matches(line, port, only_listening, &inode))
            found = inode;
    }
    if (file)
        fclose(file);
    return found;
}

static bool has_socket(const char *pid, const char *wanted)
{
    char path[300], link[64];
    snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    DIR *folder = opendir(path);
    bool has = false;
    const struct dirent *entry;
    while (folder && !has && (entry = readdir(folder))) {
        ssize_t len = readlinkat(dirfd(folder), entry->d_name, link, sizeof(link) - 1);
        if (len <= 0)
            continue;
        link[len] = 0;
        has = strcmp(link, wanted) == 0;
    }
    if (folder)
        closedir(folder);
    return has;
}

static void read_name(const char *pid, char name[64])
{
    char path[300];
    snprintf(path, sizeof(path), "/proc/%s/comm", pid);
    FILE *file = fopen(path, "re");
    if (!file || !fgets(name, 64, file))
        slice_copy(SLICE("a process"), name, 64);
    if (file)
        fclose(file);
    name[strcspn(name, "\n")] = 0;
}

const char *holder_find(const struct addr *addr, int type, char *text, size_t cap)
{
    static const char *const tables[2][2] = {{"/proc/net/tcp", "/proc/net/tcp6"},
                                             {"/proc/net/udp", "/proc/net/udp6"}};
    bool is_stream = type == SOCK_STREAM;
    text[0] = 0;
    if (addr_family(addr) == AF_UNIX)
        return text;
    uint64_t inode = 0;
    for (int i = 0; i < 2 && !inode; i++)
        inode = find_inode(tables[is_stream ? 0 : 1][i], addr_port(addr), is_stream);
    if (!inode)
        return text;
    char wanted[64], name[64];
    snprintf(wanted, sizeof(wanted), "socket:[%" PRIu64 "]", inode);
    DIR *all = opendir("/proc");
    const struct dirent *entry;
    while (all && !text[0] && (entry = readdir(all))) {
        if (!isdigit((unsigned char)entry->d_name[0]) || !has_socket(entry->d_name, wanted))
            continue;
        read_name(entry->d_name, name);
        snprintf(text, cap, "%s (pid %s)", name, entry->d_name);
    }
    if (all)
        closedir(all);
    return text;
}
