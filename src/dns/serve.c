/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The listeners of one loop: how they come and go with plans.
 */

#include "dns/internal.h"

#include "base/mem.h"
#include <poll.h>
#include <unistd.h>

void dns_loop_init(struct dns_loop *self, struct dns *dns, struct loop *loop)
{
    *self = (struct dns_loop){.dns = dns, .loop = loop};
    self->batch = udp_batch_create();
    self->output = tcp_output_create();
}

static bool is_same(const struct dns_listen *listen, const struct dns_listen_conf *conf)
{
    return slice_is(conf->name, listen->name) && addr_equal(&conf->addr.addr, &listen->addr);
}

/* Where the listener is in the plan, or n_listens. */
static uint32_t find_in_plan(const struct dns_plan *plan, const struct dns_listen *listen)
{
    uint32_t i = 0;
    while (i < plan->n_listens && !is_same(listen, plan->listens[i]))
        i++;
    return i;
}

static bool has_listen(const struct dns_loop *self, const struct dns_listen_conf *conf)
{
    for (uint32_t i = 0; i < self->n_listens; i++)
        if (is_same(self->listens[i], conf))
            return true;
    return false;
}

static void listen_destroy(struct dns_listen *listen)
{
    close(listen->udp_fd);
    close(listen->tcp_fd);
    mem_free(listen);
}

static void close_listen(struct dns_loop *self, uint32_t index)
{
    struct dns_listen *listen = self->listens[index];
    dns_udp_close(&listen->udp);
    dns_tcp_close(&listen->tcp);
    listen_destroy(listen);
    self->listens[index] = self->listens[--self->n_listens];
}

static int start(struct dns_loop *self, struct dns_listen *listen, const struct dns_plan *plan,
                 uint32_t index, struct err *err)
{
    struct dns_desk *desk =
        &plan->desks[index * self->dns->process->n_loops + loop_index(self->loop)];
    const struct udp_options options = {
        .loop = self->loop,
        .batch = self->batch,
        .desk = desk,
        .fd = listen->udp_fd,
        .addr = &listen->addr,
        .buffer_bytes = plan->listens[index]->limits.buffer_bytes,
    };
    if (dns_udp_open(&listen->udp, &options, err) < 0)
        return -1;
    if (dns_tcp_open(&listen->tcp, self->loop, listen->tcp_fd, self->output, desk,
                     &plan->limits[index], err) == 0)
        return 0;
    dns_udp_close(&listen->udp);
    return -1;
}

static void open_listen(struct dns_loop *self, struct dns_plan *plan, uint32_t index)
{
    uint32_t place = index * self->dns->process->n_loops + loop_index(self->loop);
    struct err err = ERR_NONE;
    struct dns_listen *listen = MEM_NEW(struct dns_listen);
    slice_copy(plan->listens[index]->name, listen->name, sizeof(listen->name));
    listen->addr = plan->listens[index]->addr.addr;
    listen->udp_fd = plan->udp_fds[place];
    listen->tcp_fd = plan->tcp_fds[place];
    plan->udp_fds[place] = plan->tcp_fds[place] = -1; /* taken */
    if (start(self, listen, plan, index, &err) < 0) {
        log_write(process_log(self->loop), LOG_LEVEL_ERROR, "dns %s: %s", listen->name, err.text);
        listen_destroy(listen);
        return;
    }
    self->listens[self->n_listens++] = listen;
}

/* The listener stays, and answers by the words of the new plan. */
static void renew_listen(struct dns_loop *self, struct dns_listen *listen, struct dns_plan *plan,
                         uint32_t index)
{
    struct dns_desk *desk =
        &plan->desks[index * self->dns->process->n_loops + loop_index(self->loop)];
    listen->udp.desk = desk;
    listen->tcp.desk = desk;
    listen->tcp.limits = plan->limits[index];
}

void dns_loop_switch(struct dns_loop *self, struct dns_plan *plan)
{
    for (uint32_t i = self->n_listens; i-- > 0;) {
        uint32_t place = find_in_plan(plan, self->listens[i]);
        if (place == plan->n_listens)
            close_listen(self, i);
        else
            renew_listen(self, self->listens[i], plan, place);
    }
    self->view = (struct answer_view){.zones = plan->zones->set, .records = answers_of(plan->view)};
    for (uint32_t i = 0; i < plan->n_listens; i++)
        if (!has_listen(self, plan->listens[i]))
            open_listen(self, plan, i);
}

void dns_loop_drain(struct dns_loop *self)
{
    for (uint32_t i = 0; i < self->n_listens; i++) {
        dns_udp_close(&self->listens[i]->udp);
        dns_tcp_drain(&self->listens[i]->tcp);
    }
}

void dns_loop_serve(struct dns_loop *self, int wait_ms)
{
    struct pollfd polls[DNS_LISTENS_MAX];
    for (uint32_t i = 0; i < self->n_listens; i++)
        polls[i] = (struct pollfd){.fd = self->listens[i]->udp.io.fd, .events = POLLIN};
    if (poll(polls, self->n_listens, wait_ms) <= 0)
        return;
    for (uint32_t i = 0; i < self->n_listens; i++)
        if (polls[i].revents)
            dns_udp_serve(&self->listens[i]->udp, LOOP_BUDGET);
}
