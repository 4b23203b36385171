/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the HTTP/1 codec costs, in nanoseconds of one core, best of several rounds: reading a
 * typical request head and response head, writing them on, and decoding chunks. Not part of the
 * tests.
 *
 *      cc -O2 -std=gnu17 -D_GNU_SOURCE -Isrc bench/micro_h1.c build/libweir.a -o build/micro_h1
 */
#include "base/mem.h"
#include "micro.h"
#include "wire/h1.h"
#include <stdio.h>

enum { N_ROUNDS = 15, N_LOOPS = 200000 };

static const char request[] =
    "GET /wp-content/uploads/2010/03/hello-kitty-darth-vader-pink.jpg HTTP/1.1\r\n"
    "Host: www.kittyhell.example\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0\r\n"
    "Accept: image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Connection: keep-alive\r\n"
    "Cookie: session=0123456789abcdef; theme=dark\r\n"
    "\r\n";

static const char response[] = "HTTP/1.1 200 OK\r\n"
                               "Server: app/1.2\r\n"
                               "Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n"
                               "Content-Type: text/html; charset=utf-8\r\n"
                               "Content-Length: 1024\r\n"
                               "Connection: keep-alive\r\n"
                               "Cache-Control: max-age=60\r\n"
                               "\r\n";

static const char chunks[] = "400\r\n";

struct bench {
    const char *name;
    size_t size;
    void (*run)(void);
};

static void read_request(struct h1_head *head)
{
    enum h1_error error;

    h1_head_reset(head);
    assert(h1_parse_request(request, sizeof(request) - 1, &h1_limits_default, head, &error) > 0);
    use(head);
}

static void read_response(struct h1_head *head)
{
    struct h1_asked asked = {.method = H1_METHOD_GET};
    enum h1_error error;

    h1_head_reset(head);
    assert(h1_parse_response(response, sizeof(response) - 1, &h1_limits_default, asked, head,
                             &error) > 0);
    use(head);
}

static void bench_request(void)
{
    struct h1_head head;

    for (int i = 0; i < N_LOOPS; i++)
        read_request(&head);
}

static void bench_response(void)
{
    struct h1_head head;

    for (int i = 0; i < N_LOOPS; i++)
        read_response(&head);
}

static void bench_write_request(void)
{
    static const struct slice lines[] = {SLICE_INIT("X-Forwarded-For: 192.0.2.1\r\n"),
                                         SLICE_INIT("Via: 1.1 weir\r\n")};
    struct h1_forward forward = {.lines = lines, .n_lines = 2};
    struct h1_head head;
    char out[2048];

    read_request(&head);
    for (int i = 0; i < N_LOOPS; i++) {
        assert(h1_write_request_head(out, sizeof(out), &head, request, &forward) > 0);
        use(out);
    }
}

static void bench_write_response(void)
{
    struct h1_reply reply = {.client_minor = 1};
    struct h1_head head;
    char out[2048];

    read_response(&head);
    for (int i = 0; i < N_LOOPS; i++) {
        assert(h1_write_response_head(out, sizeof(out), &head, response, &reply) > 0);
        use(out);
    }
}

/* One chunk of 1 KiB a time: its size line, its data, its end. */
static void bench_chunked(void)
{
    char buf[sizeof(chunks) - 1 + 1024 + 2];
    struct h1_body body;

    memset(buf, 'x', sizeof(buf));
    memcpy(buf, chunks, sizeof(chunks) - 1);
    memcpy(buf + sizeof(buf) - 2, "\r\n", 2);
    h1_body_init_kind(&body, H1_BODY_CHUNKED, 0, &h1_limits_default);
    for (int i = 0; i < N_LOOPS; i++) {
        struct h1_piece piece;
        size_t used;
        size_t more;

        assert(h1_body_next(&body, buf, sizeof(buf), &used, &piece) == H1_DATA);
        assert(h1_body_next(&body, buf + used, sizeof(buf) - used, &more, &piece) == H1_MORE);
        use(&piece);
    }
}

int main(void)
{
    static const struct bench benches[] = {
        {"read a request head", sizeof(request) - 1, bench_request},
        {"write a request head", sizeof(request) - 1, bench_write_request},
        {"read a response head", sizeof(response) - 1, bench_response},
        {"write a response head", sizeof(response) - 1, bench_write_response},
        {"decode a chunk of 1 KiB", 1024, bench_chunked},
    };

    for (size_t i = 0; i < ARRAY_LEN(benches); i++) {
        double best = 1e18;

        for (int round = 0; round < N_ROUNDS; round++) {
            double begin = now_ns();

            benches[i].run();
            best = now_ns() - begin < best ? now_ns() - begin : best;
        }
        printf("%-24s %5zu bytes  %7.1f ns\n", benches[i].name, benches[i].size, best / N_LOOPS);
    }
    return 0;
}
