/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

/*
 * Background work: a durable queue of jobs, and the protocol of beanstalkd to put and take them.
 * Its process has one loop and a thread that syncs, keeps its log in the folder `queue` of the
 * state directory, and accepts on the sockets of `jobs`.
 */

#include "core/module.h"

extern const struct module queue_module;

#endif
