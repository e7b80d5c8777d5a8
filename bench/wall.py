"""How long a run lasts against what its wire takes at the least, for 1, 3 and 10 inverters on a pty at real speed."""

import subprocess
import time
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from bench._plant import GAP, Bus, Exchange, bus, env
from bench._table import show, verdict

RUNS = {1: 9, 3: 7, 10: 4}
"""Inverters → runs."""

OVER = 0.120
"""Seconds that a run may last longer than its wire (issue 3)."""

RATIO, RATIO_FROM = 1.05, 3
"""How many times its wire's time a run may last, from so many inverters on (issue 3)."""


class Timed(NamedTuple):
    """One run; times in seconds."""

    wall: float
    floor: float
    before: float
    """From the start of the process to its first request."""
    after: float
    """From the last byte of the last answer to the end of stdout."""
    requests: int


def floor(exchanges: Sequence[Exchange], gap: float = GAP) -> float:
    """Seconds that these exchanges take on a wire at the least: the next request may start after a gap and after the answer."""
    *others, last = exchanges
    return sum(max(gap, one.takes) for one in others) + last.takes


def timed(on: Bus, gap: float = GAP) -> Timed:
    """Run pv-read once, from the start of its process to the end of its stdout."""
    on.exchanges()
    began = time.monotonic()
    with subprocess.Popen(
        on.plant.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=env(), cwd="/"
    ) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        ended = time.monotonic()
    exchanges = on.exchanges()
    if printed.count(b'state="ok"') != printed.count(b"pv_read,") or not exchanges:
        raise RuntimeError(f"not every inverter was read: {printed.decode()}")
    last = exchanges[-1]
    return Timed(
        ended - began,
        floor(exchanges, gap),
        exchanges[0].at - began,
        ended - last.at - last.takes,
        len(exchanges),
    )


def measured(inverters: int, runs: int, *, fast: bool = False) -> list[Timed]:
    """So many runs after one that warms the caches, each with the gap to the run before already over."""
    with bus(inverters, fast=fast) as on:
        gap = 0.05 if fast else GAP
        found = []
        for _ in range(runs + 1):
            found.append(timed(on, gap))
            time.sleep(gap)
        return found[1:]


def row(inverters: int, runs: Sequence[Timed]) -> tuple[str, ...]:
    over = [run.wall - run.floor for run in runs]
    ratio = median(run.wall / run.floor for run in runs)
    met = median(over) <= OVER and (inverters < RATIO_FROM or ratio <= RATIO)
    return (
        str(inverters),
        str(runs[0].requests),
        str(len(runs)),
        f"{median(run.floor for run in runs):.3f}",
        f"{median(run.wall for run in runs):.3f}",
        f"{ratio:.3f}",
        f"{median(over) * 1000:.0f}",
        f"{min(over) * 1000:.0f}…{max(over) * 1000:.0f}",
        f"{median(run.before for run in runs) * 1000:.0f}",
        f"{median(run.after for run in runs) * 1000:.0f}",
        verdict(met),
    )


def main() -> None:
    show(
        "A run's wall time against its wire",
        "Start of the process to the end of its stdout, on a pty at real speed (9600 baud, answers after 42…427 ms), default\n"
        "settings. Floor: a gap of 1 s or the whole exchange, whichever is longer, for every request but the last, and the\n"
        "last exchange, from what the simulator heard and said in that run. Before: start to first request (20 ms of it is\n"
        "the wait for a quiet line); after: last byte on the wire to the end of stdout. Medians over the runs.\n"
        f"Goals: floor + {OVER * 1000:.0f} ms; from {RATIO_FROM} inverters on also {RATIO} × floor.",
        ("inverters", "requests", "runs", "floor s", "run s", "run/floor", "over ms", "range", "before ms", "after ms",
         "goal"),
        [row(inverters, measured(inverters, runs)) for inverters, runs in RUNS.items()],
    )  # fmt: skip


if __name__ == "__main__":
    main()
