/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the words of one vip mean together. All of them, and the nodes that share them, are
 * vip/conf_check.c's.
 */

#include "base/text.h"
#include "vip/conf.h"
#include "vip/hook.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

enum { MS_PER_S = 1000, MS_PER_CS = 10, IPV6_LINK_LOCAL_BITS = 10 };

struct vrrp_ip vip_ip_of(const struct addr *addr)
{
    assert(addr_family(addr) == AF_INET || addr_family(addr) == AF_INET6);
    if (addr_family(addr) == AF_INET)
        return vrrp_ip_make((const uint8_t *)&addr->in4.sin_addr, 4);
    return vrrp_ip_make((const uint8_t *)&addr->in6.sin6_addr, 16);
}

/* ---- one vip: its addresses ---- */

static int refuse_address(struct conf_load *load, const struct conf_ip_in *address)
{
    struct vrrp_ip ip = vip_ip_of(&address->ip.addr);
    bool is_ipv6 = ip.n_bytes == 16;
    bool is_loopback =
        is_ipv6 ? IN6_IS_ADDR_LOOPBACK(&address->ip.addr.in6.sin6_addr) : ip.bytes[0] == 127;
    const uint8_t zeros[16] = {0};
    const char *what = vrrp_ip_is_multicast(&ip)                  ? "a multicast address"
                       : is_loopback                              ? "a loopback address"
                       : memcmp(ip.bytes, zeros, ip.n_bytes) == 0 ? "no address"
                                                                  : NULL;
    if (!what)
        return 0;
    return conf_error(load->diag, address->ip.at, NULL, "%.*s is %s, which cannot move",
                      SLICE_ARG(address->ip.text), what);
}

static bool is_link_local(const struct vip_address *address)
{
    return address->ip.n_bytes == 16 && address->ip.bytes[0] == 0xfe &&
           (address->ip.bytes[1] & 0xc0) == 0x80;
}

static void add_address(struct conf_load *load, struct vip_conf *vip, size_t index)
{
    const struct conf_ip_in *address = vip->address_list.items[index];
    struct vip_address item = {.ip = vip_ip_of(&address->ip.addr), .n_bits = address->n_bits};
    struct vip_family *family = &vip->families[item.ip.n_bytes == 16 ? VIP_IPV6 : VIP_IPV4];
    if (!family->addresses)
        family->addresses =
            ARENA_NEW_ARRAY(load->arena, struct vip_address, vip->address_list.n_items);
    family->addresses[family->n_addresses++] = item;
}

static void join_bytes(struct conf_load *load, struct vip_family *family, size_t n_bytes)
{
    char *bytes = arena_alloc(load->arena, family->n_addresses * n_bytes);
    for (uint32_t i = 0; i < family->n_addresses; i++)
        memcpy(bytes + i * n_bytes, family->addresses[i].ip.bytes, n_bytes);
    family->bytes = slice_make(bytes, family->n_addresses * n_bytes);
}

static int finish_addresses(struct conf_load *load, struct vip_conf *vip)
{
    const struct conf_object *object = &vip->object;
    struct conf_at at = conf_where(object, "ADDRESS");
    if (vip->address_list.n_items == 0)
        return conf_error(load->diag, object->at, "vip 203.0.113.10/24 on eth0 { id 51 }",
                          "a vip needs an address");
    if (vip->address_list.n_items > VRRP_ADDRESSES_MAX)
        return conf_error(load->diag, at, NULL, "more than %d addresses", VRRP_ADDRESSES_MAX);
    int rc = 0;
    for (size_t i = 0; i < vip->address_list.n_items; i++) {
        if (refuse_address(load, vip->address_list.items[i]) < 0)
            rc = -1;
        else
            add_address(load, vip, i);
    }
    struct vip_family *ipv6 = &vip->families[VIP_IPV6];
    if (rc == 0 && ipv6->n_addresses > 0 && !is_link_local(&ipv6->addresses[0]))
        rc = conf_error(load->diag, at,
                        arena_printf(load->arena, "vip fe80::%x/64 2001:db8::10/64 on eth0",
                                     0x100U + (unsigned)vip->id),
                        "the first IPv6 address of a vip is a link-local one (RFC 9568 section "
                        "5.2.9)");
    join_bytes(load, &vip->families[VIP_IPV4], 4);
    join_bytes(load, ipv6, 16);
    return rc;
}

/* Without a name it is called by its first address. */
static void finish_name(struct conf_load *load, struct vip_conf *vip)
{
    if (vip->name.len == 0) {
        const struct conf_ip_in *first = vip->address_list.items[0];
        char text[ADDR_TEXT_MAX];
        vip->name = arena_dup(load->arena, slice_from(addr_format_ip(&first->ip.addr, text)));
        vip->object.name = vip->name;
    }
    vip->fact = arena_printf(load->arena, "vip:%.*s", SLICE_ARG(vip->name));
    struct text all = TEXT_NONE;
    for (size_t i = 0; i < vip->address_list.n_items; i++) {
        const struct conf_ip_in *address = vip->address_list.items[i];
        text_printf(&all, "%s%.*s", i ? " " : "", SLICE_ARG(address->ip.text));
    }
    vip->addresses = arena_dup(load->arena, text_slice(&all)).ptr;
    text_deinit(&all);
}

/* ---- one vip: on ---- */

static bool is_interface_name(struct slice name)
{
    if (name.len == 0 || name.len > VIP_INTERFACE_MAX || slice_is(name, ".") ||
        slice_is(name, ".."))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '/' || name.ptr[i] == ':' || name.ptr[i] <= ' ')
            return false;
    return true;
}

static int finish_hook(struct conf_load *load, struct vip_conf *vip, const struct vip_on_conf *on,
                       enum hook_state state)
{
    if (!conf_is_set(&on->object, "HOW") || on->program.len == 0)
        return conf_error(load->diag, on->object.at, "on active exec /etc/weir/take.sh",
                          "\"on %.*s\" says what is done: exec and a program",
                          SLICE_ARG(on->where));
    struct hook_conf *hook = ARENA_NEW(load->arena, struct hook_conf);
    *hook = (struct hook_conf){
        .object = on->object,
        .state = (int)state,
        .program = on->program,
        .argument_list = on->argument_list,
        .every_ms = on->every_ms,
        .timeout_ms = on->timeout_ms,
    };
    if (!vip->hook_list.items)
        vip->hook_list.items = ARENA_NEW_ARRAY(load->arena, void *, vip->on_list.n_items);
    vip->hook_list.items[vip->hook_list.n_items++] = hook;
    return 0;
}

static int finish_interface(struct conf_load *load, struct vip_conf *vip,
                            const struct vip_on_conf *on)
{
    struct conf_at at = conf_where(&on->object, "WHERE");
    if (conf_is_set(&on->object, "every") || conf_is_set(&on->object, "timeout"))
        return conf_error(load->diag, at, "on active exec PROGRAM { every 30s }",
                          "an interface has neither every nor timeout");
    if (!is_interface_name(on->where))
        return conf_error(load->diag, at, "`ip link` shows their names",
                          "\"%.*s\" cannot be the name of an interface", SLICE_ARG(on->where));
    if (vip->interface)
        return conf_error(load->diag, at, "a second vip that moves with this one",
                          "a vip is on one interface: %s is the first", vip->interface);
    vip->interface = arena_dup(load->arena, on->where).ptr;
    vip->interface_at = at;
    return 0;
}

static int finish_on(struct conf_load *load, struct vip_conf *vip)
{
    int rc = 0;
    for (size_t i = 0; i < vip->on_list.n_items; i++) {
        const struct vip_on_conf *on = vip->on_list.items[i];
        int result = slice_is(on->where, "active")   ? finish_hook(load, vip, on, HOOK_ACTIVE)
                     : slice_is(on->where, "backup") ? finish_hook(load, vip, on, HOOK_BACKUP)
                                                     : finish_interface(load, vip, on);
        if (result < 0)
            rc = -1;
    }
    if (rc == 0 && hooks_check(&vip->hook_list, load) < 0)
        rc = -1;
    if (rc == 0 && !vip->interface)
        rc = conf_error(load->diag, vip->object.at, "vip 203.0.113.10/24 on eth0",
                        "a vip needs an interface");
    return rc;
}

/* ---- one vip: words that exclude each other ---- */

static int finish_version(struct conf_load *load, const struct vip_conf *vip)
{
    const struct conf_object *object = &vip->object;
    int64_t unit_ms = vip->version == 2 ? MS_PER_S : MS_PER_CS;
    if (vip->interval_ms % unit_ms)
        return conf_error(load->diag, conf_where(object, "interval"), NULL,
                          vip->version == 2 ? "version 2 of VRRP counts whole seconds"
                                            : "VRRP counts hundredths of a second, 10ms");
    if (vip->version == 3)
        return 0;
    if (vip->families[VIP_IPV6].n_addresses > 0)
        return conf_error(load->diag, conf_where(object, "version"), "version 3",
                          "version 2 of VRRP knows no IPv6");
    if (conf_is_set(object, "checksum"))
        return conf_error(load->diag, conf_where(object, "checksum"), NULL,
                          "version 2 of VRRP has but one form of checksum");
    return 0;
}

static int finish_words(struct conf_load *load, const struct vip_conf *vip)
{
    const struct conf_object *object = &vip->object;
    if (vip->is_no_preempt && conf_is_set(object, "preempt-delay"))
        return conf_error(load->diag, conf_where(object, "preempt-delay"), NULL,
                          "with no-preempt there is nothing to delay");
    if (vip->is_no_preempt && vip->owner_ref.name.len)
        return conf_error(load->diag, conf_where(object, "no-preempt"), NULL,
                          "the owner of addresses always takes them back");
    if (conf_is_set(object, "checksum") && vip->families[VIP_IPV4].n_addresses == 0)
        return conf_error(load->diag, conf_where(object, "checksum"), NULL,
                          "over IPv6 there is but one form of checksum");
    if (vip->has_no_address && vip->has_virtual_mac)
        return conf_error(load->diag, conf_where(object, "virtual-mac"), NULL,
                          "with no-address there is nothing to have a MAC");
    if (vip->has_no_address && !hooks_find(&vip->hook_list, HOOK_ACTIVE))
        return conf_error(load->diag, conf_where(object, "no-address"),
                          "on active exec /etc/weir/take.sh",
                          "with no-address a program moves the addresses, and there is none");
    if (conf_is_set(object, "priority") && (vip->owner_ref.name.len || vip->prefer_ref.name.len))
        return conf_error(load->diag, conf_where(object, "priority"), NULL,
                          "prefer and owner say the priority already");
    return 0;
}

int vip_finish(struct conf_load *load, void *self)
{
    struct vip_conf *vip = self;
    if (finish_addresses(load, vip) < 0)
        return -1;
    finish_name(load, vip);
    int rc = finish_on(load, vip);
    if (finish_version(load, vip) < 0 || finish_words(load, vip) < 0)
        rc = -1;
    return rc;
}
