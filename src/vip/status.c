/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What `weir status` shows of vips beyond their facts.
 */

#include "vip/internal.h"
#include <arpa/inet.h>

#define NS_PER_S UINT64_C(1000000000)

static void json_ip(struct json *json, const char *key, const struct vrrp_ip *ip)
{
    char text[INET6_ADDRSTRLEN];
    json_key(json, key);
    json_cstr(json, ip->n_bytes == 0 ? NULL
                                     : inet_ntop(ip->n_bytes == 16 ? AF_INET6 : AF_INET, ip->bytes,
                                                 text, sizeof(text)));
}

static void json_seconds(struct json *json, const char *key, uint64_t ns)
{
    json_key(json, key);
    json_double(json, (double)ns / (double)NS_PER_S);
}

/* Whom this node takes for the Active: itself, or the one that it hears. */
static void json_active(struct json *json, const struct group *group, uint64_t now_ns)
{
    const struct group_heard *heard = &group->heard;
    bool is_own = group->machine.state == VRRP_ACTIVE;
    json_ip(json, "active", is_own ? &group->link.source : &heard->source);
    if (heard->source.n_bytes == 0)
        return;
    json_key(json, "heard");
    json_object_begin(json);
    json_ip(json, "from", &heard->source);
    json_key(json, "priority");
    json_uint(json, heard->priority);
    json_seconds(json, "interval", heard->interval_ns);
    json_seconds(json, "age", now_ns - heard->at_ns);
    json_object_end(json);
}

static void json_group(struct json *json, const struct vip_group *at)
{
    const struct group *group = &at->group;
    const struct vrrp_machine *machine = &group->machine;
    uint64_t now_ns = loop_boot_ns();
    json_object_begin(json);
    json_key(json, "family");
    json_cstr(json, vip_family_name(vip_family_of(at)));
    json_key(json, "state");
    json_cstr(json, vrrp_state_name(machine->state));
    json_key(json, "reason");
    json_cstr(json, vip_group_reason(at));
    json_seconds(json, "since", machine->since_ns ? now_ns - machine->since_ns : 0);
    json_key(json, "priority");
    json_uint(json, vrrp_machine_priority(machine));
    json_key(json, "leaves");
    json_bool(json, machine->is_leaving);
    json_key(json, "holds");
    json_bool(json, machine->is_holding);
    json_ip(json, "source", &group->link.source);
    json_active(json, group, now_ns);
    json_object_end(json);
}

static void json_vip(struct json *json, const struct vip *vip)
{
    const char *lack = vip->watch ? lack_watch_text(vip->watch) : "";
    json_object_begin(json);
    json_key(json, "name");
    json_cstr(json, vip->name);
    json_key(json, "state");
    json_cstr(json, fact_state_name(vip_fact_state(vip)));
    json_key(json, "addresses");
    json_cstr(json, vip->conf->addresses);
    json_key(json, "interface");
    json_cstr(json, vip->port->name);
    json_key(json, "id");
    json_int(json, vip->conf->id);
    json_key(json, "lack");
    json_uint(json, vip->lack);
    json_key(json, "lacks");
    json_cstr(json, lack);
    json_key(json, "groups");
    json_array_begin(json);
    for (size_t f = 0; f < VIP_FAMILIES; f++)
        if (vip->groups[f].is_started)
            json_group(json, &vip->groups[f]);
    json_array_end(json);
    json_object_end(json);
}

void vip_status(struct vips *vips, struct json *json)
{
    json_key(json, "vips");
    json_array_begin(json);
    for (uint32_t i = 0; i < vips->n_items; i++)
        json_vip(json, vips->items[i]);
    json_array_end(json);
}
