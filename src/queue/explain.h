/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_EXPLAIN_H
#define QUEUE_EXPLAIN_H

/*
 * `weir explain queue [NAME]`: what would become of a put now and of a worker that asks, and why;
 * and from which line of the file each value comes that decides about it.
 *
 * What refuses and what holds back is asked of the model by the functions that refuse and hold back
 * (model_limit(), model_hold()), so it is never another reason than a client meets. A file that
 * nobody serves has no jobs: of it the values alone are told.
 *
 *     {"node": "a", "jobs": 3, "bytes": 700, "sync": "group", "is_durable": true,
 *      "queues": [{"queue": "mail", "at": "shop.weir:3:1",       "": no `queue` names it
 *                  "is_there": true, "ready": 3, "delayed": 0, "reserved": 0, "buried": 0,
 *                  "takes": true, "put": sentence, "gives": false, "reserve": sentence,
 *                  "deliver": {"goes": false, "why": sentence},      where it has `deliver`
 *                  "first_buried": {"id": 7, "error": "permanent", "text": "no such user"},
 *                  "first_delayed": {"id": 9, ...},      where there are any; an error if it failed
 *                  "async": {"accepts": true, "answer": sentence,    where a route names it
 *                            "unfinished": 3, "unfinished_max": 10000,
 *                            "connections": 1, "connections_max": 10000, "held": sentence},
 *                  "words": [{"word": "retry backoff", "value": "10s..1h",
 *                             "at": "shop.weir:3:16"}, ...]}],    "": the default
 *      "queues_total": 1,
 *      "listeners": [{"jobs": "127.0.0.1:11300", "at": ..., "state": "serving", "reason": sentence,
 *                     "connections": 2, "words": [...]}],
 *      "words": [...]}                                           of `queues`, which all share
 *
 * The counts and the four about puts and reserves are there where the process answers. With a NAME
 * there is that queue alone and no listener; one that is not there is told as the put would make
 * it. Without, at most EXPLAIN_QUEUES_MAX, those of the file first.
 */

#include "core/module.h"

enum { EXPLAIN_QUEUES_MAX = 100 };

/* struct module's explain() and explain_inside(). */
int queue_explain(const struct snapshot *snap, const struct board *board,
                  const struct explain_ask *ask, struct json *json, struct err *err);
int queue_explain_inside(void *state, const struct explain_ask *ask, struct json *json,
                         struct err *err);

#endif
