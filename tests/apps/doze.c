/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Makes weir-doze of weir: the same program on a machine that is suspended when it is told so. Each
 * signal DOZE_SIGNAL puts the clock that goes on while a machine sleeps (CLOCK_BOOTTIME) ten
 * seconds forward for the process that gets it, while the one that does not (CLOCK_MONOTONIC), and
 * with it each timer, goes on as it was: that is what a suspension leaves behind.
 *
 * The linker puts __wrap_loop_boot_ns() in front of the one of src/core.
 */

#include "core/loop.h"

#include <signal.h>
#include <stdatomic.h>

#define DOZE_NS UINT64_C(10000000000)

enum { DOZE_SIGNAL = 40 }; /* a real-time one, which nothing else uses */

static _Atomic uint64_t slept_ns;

static void on_doze(int number)
{
    (void)number;
    atomic_fetch_add(&slept_ns, DOZE_NS);
}

/* Before main(): a sandbox lets no process change what a signal does. */
__attribute__((constructor)) static void listen_for_doze(void)
{
    const struct sigaction action = {.sa_handler = on_doze, .sa_flags = SA_RESTART};
    sigaction(DOZE_SIGNAL, &action, NULL);
}

/* Names as the linker makes them. */
uint64_t __real_loop_boot_ns(void);
uint64_t __wrap_loop_boot_ns(void);

uint64_t __wrap_loop_boot_ns(void)
{
    return __real_loop_boot_ns() + atomic_load(&slept_ns);
}
