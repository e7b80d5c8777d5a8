"""What a run costs: CPU and peak memory of each of its processes against a bare interpreter, and the modules it loads."""

import ctypes
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from bench._plant import Bus, bus, env
from bench._table import show, verdict
from tests.process.test_start_up import modules

RUNS = 9
BARES = 3
"""Starts of each bare interpreter before each run."""

CPU = 5.0
"""Times the CPU of the bare interpreter that a whole run may take (issue 3)."""

PEAK = 16.0
"""MB of each process (issue 3)."""

PROCESSES = ("parent", "keeper", "worker")
"""In the order in which they are started."""

PR_SET_CHILD_SUBREAPER = 36
"""linux/prctl.h"""

PID_MAX = 1 << 22

BARE = ["-I", "-c", "pass"]
FULL = ["-c", "pass"]


class Spent(NamedTuple):
    """What one process used."""

    cpu: float
    """User and system, s."""
    peak: float
    """Largest resident set, MB (10^6); pages shared with the others count in each."""


def adopt() -> None:
    """Orphans of our children become our children: nobody else waits for keeper and workers, so their usage comes to us."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def spent(command: Sequence[str]) -> list[Spent]:
    """Run a program to the end of its last process; the usage of each in the order of their start. `adopt` first.

    A shell stands between: a process keeps as its peak what its memory was when it called exec, and that was ours.
    """
    shell = subprocess.Popen(
        ["/bin/sh", "-c", '"$@" </dev/null >/dev/null &', "sh", *command], env=env(), cwd="/"
    )
    first = shell.pid
    if shell.wait():
        raise RuntimeError(f"{command[0]} did not start")
    found: dict[int, Spent] = {}
    while True:
        try:
            pid, status, usage = os.wait4(-1, 0)
        except ChildProcessError:
            break
        if status:
            raise RuntimeError(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
        # ru_maxrss is in units of 1024 bytes (getrusage(2)).
        found[(pid - first) % PID_MAX] = Spent(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)
    return [found[order] for order in sorted(found)]


def bare(arguments: Sequence[str]) -> Spent:
    """The interpreter of this environment doing nothing."""
    return spent([sys.executable, *arguments])[0]


def whole(on: Bus) -> list[Spent]:
    """The processes of one run."""
    processes = spent(on.plant.command())
    if len(processes) != len(PROCESSES):
        raise RuntimeError(f"a run of {len(processes)} processes")
    return processes


def measured(on: Bus, count: int, pause: float = 1.0) -> tuple[list[Spent], list[Spent], list[list[Spent]]]:
    """Bare interpreters of both kinds, and runs, in turn, so that what disturbs the machine disturbs all of them."""
    isolated, full, runs = [], [], []
    whole(on)  # warms the caches
    for _ in range(count):
        time.sleep(pause)
        for _ in range(BARES):
            isolated.append(bare(BARE))
            full.append(bare(FULL))
        runs.append(whole(on))
    return isolated, full, runs


def rows(
    runs: Sequence[Sequence[Spent]], isolated: Sequence[Spent], full: Sequence[Spent]
) -> list[tuple[str, ...]]:
    """One row per process, one for all together, two for interpreters that do nothing."""
    base = median(one.cpu for one in isolated)
    base_full = median(one.cpu for one in full)

    def line(name: str, cpu: Sequence[float], peak: Sequence[float], goal: str) -> tuple[str, ...]:
        of = median(cpu)
        low, high = min(cpu) * 1000, max(cpu) * 1000
        return (
            name, f"{of * 1000:.1f}", f"{low:.1f}…{high:.1f}", f"{of / base:.2f}", f"{of / base_full:.2f}",
            f"{median(peak):.1f}", f"{median(peak) / median(one.peak for one in isolated):.2f}", goal,
        )  # fmt: skip

    table = [
        line(f"python {' '.join(arguments)}", [one.cpu for one in found], [one.peak for one in found], "")
        for arguments, found in ((BARE, isolated), (FULL, full))
    ]
    for at, name in enumerate(PROCESSES):
        peaks = [run[at].peak for run in runs]
        table.append(line(name, [run[at].cpu for run in runs], peaks, verdict(max(peaks) <= PEAK)))
    total = [sum(one.cpu for one in run) for run in runs]
    highest = [max(one.peak for one in run) for run in runs]
    table.append(line("whole run", total, highest, verdict(median(total) / base <= CPU)))
    return table


def main() -> None:
    # The simulator is started first, so that it is no orphan's parent; its end is not waited for here.
    with bus(3) as on:
        measurer = os.fork()
        if not measurer:
            try:
                adopt()
                _measure(on)
            finally:
                sys.stdout.flush()
                os._exit(0)
        os.waitpid(measurer, 0)
    with bus(1, fast=True) as on:
        _list(on)


def _measure(on: Bus) -> None:
    isolated, full, runs = measured(on, RUNS)
    show(
        "CPU and peak memory of a run of three inverters",
        f"user + sys and ru_maxrss by wait4() of every process of {len(runs)} runs at real speed, and of {len(isolated)} starts of the same\n"
        "venv's interpreter in between, compiled modules at hand; medians, range of the CPU. × -I: against python -I -c pass,\n"
        "× plain: against python -c pass. Peak counts pages shared with the other processes in each of them.\n"
        f"Goals: whole run ≤ {CPU:.0f} × the CPU of python -I -c pass; every process ≤ {PEAK:.0f} MB in every run.",
        ("process", "CPU ms", "range", "× -I", "× plain", "peak MB", "× -I", "goal"),
        rows(runs, isolated, full),
    )


def _list(on: Bus) -> None:
    found = modules(on.plant)
    idle = subprocess.run(
        [sys.executable, "-I", "-c", "import sys; print(*sys.modules)"],
        check=True, capture_output=True, text=True, env=env(),
    ).stdout.split()  # fmt: skip
    everywhere = set.intersection(*found.values()) - set(idle)
    table = []
    for name, loaded in sorted(found.items()):
        ours = sum(module.startswith("pv_exec") for module in loaded)
        table.append(
            (
                name,
                str(len(loaded)),
                str(ours),
                str(len(loaded) - ours - len(set(idle) & loaded)),
                f"{len(loaded) / len(idle):.1f}",
            )
        )
    show(
        "Modules loaded by the end of a run (one 8000xi, line protocol)",
        f"sys.modules, also × the {len(idle)} of an idle interpreter.",
        ("process", "modules", "ours", "of others", "× idle"),
        table,
    )
    for name, loaded in (
        ("all", everywhere),
        *((one, found[one] - everywhere - set(idle)) for one in sorted(found)),
    ):
        print(textwrap.fill(f"{name}: {' '.join(sorted(loaded))}", 118, subsequent_indent="  "))


if __name__ == "__main__":
    main()
