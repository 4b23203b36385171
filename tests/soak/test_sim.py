# SPDX-License-Identifier: Apache-2.0
"""The simulations with ten thousand seeds a scene. A failure names its scene and seed; `vrrp-sim show` tells it."""
import os
import pathlib
import subprocess

SEEDS = os.environ.get("WEIR_SIM_SEEDS", "10000")
FOLDER = pathlib.Path(os.environ["WEIR"]).parent / "tests" / "sim"


def play(*words, program="vrrp-sim"):
    done = subprocess.run([FOLDER / program, *words], capture_output=True, text=True, check=False)
    print(done.stdout[-4000:], done.stderr[-4000:])
    assert done.returncode == 0, done.stdout[-4000:]


def test_vrrp_scenes_sim():
    play("play", SEEDS)


def test_vrrp_rules_sim():
    play("notice", "1000")


def test_wal_lives_sim():
    play("play", os.environ.get("WEIR_SIM_SEEDS", "100000"), program="wal-sim")


def test_wal_full_sim():
    play("full", "30000", program="wal-sim")


def test_wal_each_sim():
    play("each", "200", program="wal-sim")


def test_queue_model_sim():
    play("1", os.environ.get("WEIR_SIM_SEEDS", "30000"), program="../../model_random_test")
