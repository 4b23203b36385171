/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of floating addresses and of other nodes, from answers as a weir gives them.
 */
#include "cli/status_nodes.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char answer[] =
    "{'time':'2026-01-02T03:04:05.000Z','processes':["
    "{'name':'edge','detail':{'modules':{'http':{}}}},"
    "{'name':'vip','detail':{'modules':{'vip':{'vips':["
    "{'name':'front','state':'active','addresses':'10.0.0.100/24','interface':'eth0','lack':0,"
    "'lacks':'','groups':[{'family':'IPv4','state':'active','reason':'nobody else was heard',"
    "'since':3.2,'priority':254,'holds':false,'active':'10.0.0.1'}]},"
    "{'name':'web','state':'degraded','addresses':'10.0.0.101/24 fe80::65/64 2001:db8::65/64',"
    "'interface':'eth1','lack':30,'lacks':'pool:web (no member is up)','groups':["
    "{'family':'IPv4','state':'backup','reason':'a better one was heard','since':7300,"
    "'priority':223,'holds':true,'active':'10.0.0.2'},"
    "{'family':'IPv6','state':'initialize','reason':'eth1 has no carrier','since':0,"
    "'priority':223,'holds':false,'active':null}]},"
    "{'name':'old','state':'draining','addresses':'10.0.0.102/32','interface':'eth0','lack':0,"
    "'lacks':'','groups':[{'family':'IPv4','state':'active','reason':'weir began','since':200000,"
    "'priority':1,'holds':false,'active':'10.0.0.1'}]}]}}}},"
    "{'name':'peer','detail':{'modules':{'peer':{'peers':["
    "{'node':'b','state':'up','reason':'2 of 2 paths','has_other_file':false,"
    "'round_trip_us':210},"
    "{'node':'c','state':'up','reason':'runs another file','has_other_file':true,"
    "'round_trip_us':1500},"
    "{'node':'d','state':'down','reason':'silent for 3 beats'}]}}}}],"
    "'facts':["
    "{'name':'peer:b','state':'up','since':'2026-01-02T02:59:05.000Z'},"
    "{'name':'at:b/vip:front','state':'backup','value':0},"
    "{'name':'at:b/vip:web','state':'active','value':30},"
    "{'name':'at:b/pool:web','state':'up','value':1},"
    "{'name':'at:bb/vip:front','state':'active','value':0},"
    "{'name':'peer:d','state':'down','since':'2026-01-02T03:04:00.000Z'}]}";

static const char table[] =
    "\n"
    "VIP    ADDRESS                      ON    STATE         PRIORITY  LACKS  ACTIVE    REASON\n"
    "front  10.0.0.100/24                eth0  active 3 s         254         10.0.0.1  nobody "
    "else was heard\n"
    "web    10.0.0.101/24                eth1  backup 2 h         223     30  10.0.0.2  a better "
    "one was heard; VRRP is silent, but a peer says that it serves; lacks pool:web (no member is "
    "up)\n"
    "web    fe80::65/64 2001:db8::65/64  eth1  down 0 s           223     30            eth1 has "
    "no carrier; lacks pool:web (no member is up)\n"
    "old    10.0.0.102/32                eth0  draining 2 d         1         10.0.0.1  weir "
    "began\n"
    "\n"
    "NODE  STATE         RTT  FILE      SAYS                               REASON\n"
    "b     up 5 m    0.21 ms  the same  front backup, web active lacks 30  2 of 2 paths\n"
    "c     up        1.50 ms  another                                      runs another file\n"
    "d     down 5 s                                                        silent for 3 beats\n";

/* The answer, whose quotes stand single above, as tables. */
static void tell(const char *text, struct text *out)
{
    const struct table_style style = {.is_coloured = false, .width = 0};
    struct text quoted = TEXT_NONE;
    json_error_t error;
    for (const char *at = text; *at; at++)
        text_append_char(&quoted, *at == '\'' ? '"' : *at);
    json_t *status = json_loadb(quoted.ptr, quoted.len, 0, &error);
    assert_non_null(status);
    status_nodes_tell(status, &style, out);
    json_decref(status);
    text_deinit(&quoted);
}

static void test_tables(void **state)
{
    (void)state;
    struct text out = TEXT_NONE;
    tell(answer, &out);
    assert_string_equal(text_cstr(&out), table);
    text_deinit(&out);
}

/* A file without them, and a process that did not answer, are no tables. */
static void test_nothing_to_tell(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "{}",
        "{'processes':[{'name':'edge','detail':null}]}",
        "{'processes':[{'name':'vip','answers':false,'why':'it hangs'},{'name':'peer'}]}",
        "{'processes':[{'name':'vip','detail':{'modules':{'vip':{'vips':[]}}}}]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct text out = TEXT_NONE;
        tell(answers[i], &out);
        assert_string_equal(text_cstr(&out), "");
        text_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_nothing_to_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
