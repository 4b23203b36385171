/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the supervisor takes back for a process that does not: on a real interface, heard at the
 * other end of its cable.
 */

#include "vip/stage.h"

#define ONE   "vip 10.9.0.100/24 10.9.0.101/24 on v0 { name front; id 51; priority 200 }\n"
#define TWO   ONE "vip 10.9.0.102/24 on v0 { name back; id 52; priority 200; unicast 10.9.0.2 }\n"
#define OTHER "vip 10.9.0.100/24 on nowhere0 { name front; id 51; priority 200 }\n"

enum {
    HEADERS = 14 + 20, /* Ethernet, IPv4 without options */
    FRAME_BYTES = 256,
    WAIT_MS = 200,
    PROTOCOL_AT = 14 + 9,
    TARGET_AT = 14 + 16,
};

static const struct row {
    const char *file;
    enum fact_state front, back; /* as the board says; FACT_NONE: nothing */
    uint8_t ours[4], foreign[4]; /* on the interface */
    uint8_t left[4];             /* and afterwards */
    uint8_t ids[4];              /* who resigned, in order */
} rows[] = {
    {ONE, FACT_ACTIVE, 0, {100, 101}, {0}, {0}, {51}},
    {ONE, FACT_DRAINING, 0, {100}, {0}, {0}, {51}},
    /* What somebody else put there stays; what floats no more is no concern of ours. */
    {ONE, FACT_ACTIVE, 0, {100}, {101}, {101}, {51}},
    {ONE, FACT_ACTIVE, 0, {110}, {101}, {101, 110}, {0}},
    /* It was not here: nothing is said. */
    {ONE, FACT_BACKUP, 0, {0}, {0}, {0}, {0}},
    {ONE, FACT_NONE, 0, {100}, {0}, {100}, {0}},
    {TWO, FACT_ACTIVE, FACT_ACTIVE, {100, 102}, {0}, {0}, {51, 52}},
    {TWO, FACT_BACKUP, FACT_ACTIVE, {102}, {0}, {0}, {52}},
    {OTHER, FACT_ACTIVE, 0, {100}, {0}, {100}, {0}},
};

/* The next advertisement's payload that the cable brings, or NULL; *ret_target: its last byte. */
static const uint8_t *hear(int ear, uint8_t frame[FRAME_BYTES], uint8_t *ret_target)
{
    struct pollfd poll_fd = {.fd = ear, .events = POLLIN};
    while (poll(&poll_fd, 1, WAIT_MS) > 0) {
        if (recv(ear, frame, FRAME_BYTES, 0) < HEADERS + 8 || frame[PROTOCOL_AT] != 112)
            continue;
        *ret_target = frame[TARGET_AT + 3];
        return frame + HEADERS;
    }
    return NULL;
}

static void put_all(struct stage *stage, const struct row *row)
{
    for (size_t i = 0; i < ARRAY_LEN(row->ours); i++) {
        if (row->ours[i])
            stage_put(stage, row->ours[i], true);
        if (row->foreign[i])
            stage_put(stage, row->foreign[i], false);
    }
    if (row->front)
        stage_say(stage, STAGE_VIP, "vip:front", row->front, 0);
    if (row->back)
        stage_say(stage, STAGE_VIP, "vip:back", row->back, 0);
}

static void check_resignations(const struct row *row, int ear)
{
    uint8_t frame[FRAME_BYTES], target;
    for (size_t i = 0; i < ARRAY_LEN(row->ids) && row->ids[i]; i++) {
        const uint8_t *payload = hear(ear, frame, &target);
        assert_non_null(payload);
        assert_int_equal(payload[0], 0x31);
        assert_int_equal(payload[1], row->ids[i]);
        assert_int_equal(payload[2], 0);
        assert_int_equal(target, row->ids[i] == 51 ? 18 : 2); /* 224.0.0.18, or the peer */
    }
    assert_null(hear(ear, frame, &target));
}

static void check_left(struct stage *stage, const struct row *row)
{
    for (uint8_t last = 100; last < 120; last++)
        assert_int_equal(stage_has(stage, last, NULL),
                         memchr(row->left, last, sizeof(row->left)) != NULL);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct stage stage;
        stage_open_cable(&stage, rows[i].file);
        put_all(&stage, &rows[i]);
        int ear = veth_open_ear(&stage.cable, 1, ETH_P_IP);
        veth_enter(&stage.cable, 0);
        vip_relinquish(stage.snap, stage.process.board, NULL);
        check_resignations(&rows[i], ear);
        check_left(&stage, &rows[i]);
        /* It may be called again. */
        vip_relinquish(stage.snap, stage.process.board, NULL);
        check_left(&stage, &rows[i]);
        close(ear);
        stage_close(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
