/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_WAL_SCENES_H
#define TESTS_SIM_WAL_SCENES_H

/*
 * What chance found once in `wal-sim play`, staged so that it happens every time: a log on the disk
 * that forgets, driven by hand to the operation that matters. wal-sim calls it for `kept`, which is
 * a test of its own; each scene was seen to fail without the mend that it is for.
 */

/* Prints each that fails; how many. */
unsigned scenes_play(void);

#endif
