/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DYING_H
#define CORE_DYING_H

/*
 * For tests of shared memory: what does its writer leave behind when it is killed at some
 * instruction?
 *
 * The writer runs in a child process under ptrace, an instruction at a time. dying_kill() kills it
 * after the k-th and leaves the memory as it is. dying_watch() lets it run to its end and shows
 * every state that the memory ever has on the way: a death between two instructions leaves exactly
 * one of these, so that looking at all of them covers every instruction in one run.
 *
 *     child:   fn(ctx):  mov ... | mov ... | xchg ... | mov ... | exit
 *     memory:            A         A         B          B
 *     look():            ^                   ^                       twice: state A, state B
 *
 * The memory is a memfd; its states are taken page by page where the file has data, so that neither
 * the harness nor a test needs to know how it is laid out.
 */

#include <stddef.h>
#include <stdint.h>

typedef void dying_fn(void *ctx);
typedef void dying_look_fn(void *ctx, long instruction);

/* True where this process may trace its children; false with a reason to be printed. */
int dying_is_permitted(const char **ret_reason);

/* Runs fn(ctx) in a child to its end; calls look() before the first instruction and whenever the
 * memory behind fd has changed. Returns the number of instructions. */
long dying_watch(dying_fn *fn, void *ctx, int fd, dying_look_fn *look, void *look_ctx);

/* Kills the child after `instruction` instructions, or lets it end if it has fewer. Returns how
 * many it ran. */
long dying_kill(dying_fn *fn, void *ctx, long instruction);

/* Makes the bytes of `to` those of `from`; both are memfds of one size. */
void dying_copy(int from, int to);

#endif
