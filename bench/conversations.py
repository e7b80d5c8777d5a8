"""How many reads a second pump, driver and judge get through in virtual time, against the simulator they talk to."""

import time
from datetime import datetime
from typing import NamedTuple

from bench._table import show
from pv_exec.sim import plant
from pv_exec.sim.line import Line
from pv_exec.sim.mangle import Mangled
from pv_exec.sim.rehearsal import Rehearsal, bus_plan
from tests.plant import NOON

INVERTERS = "1:8000xi,2:5000xi,3:390TL"
RUNS = 3000
ROUNDS = 3
"""Each row is measured so often, and the quickest round counts: whatever else the machine does only slows it down."""

APART = 60.0
"""Seconds of virtual time from run to run."""


class Pace(NamedTuple):
    """What so many runs took."""

    runs: int
    requests: int
    ok: int
    """Outcomes that were ok."""
    simulated: float
    """Seconds on the line."""
    cpu: float
    cpu_of_line: float
    """What stations and line take of it: the same requests without anybody who reads the answers."""


def line(*, mangled: bool) -> Line:
    """Three inverters at noon; `mangled`: seven answers of ten are damaged."""
    one = plant.build("kaco", INVERTERS, at=datetime.fromisoformat(NOON).timestamp())
    if mangled:
        one.stations = Mangled(one.stations, seed=1)
    return one


def pace(runs: int, *, mangled: bool) -> Pace:
    """Read three inverters so often, with what each run keeps for the next."""
    rehearsal = Rehearsal(bus_plan("kaco", [1, 2, 3]), line(mangled=mangled))
    sent: list[list[tuple[float, bytes]]] = []
    ok, simulated = 0, 0.0
    began = time.process_time()
    for _ in range(runs):
        run = rehearsal.run()
        rehearsal.sleep(APART - run.used)
        sent.append([(at + rehearsal.booted, data) for at, data in run.sent])
        ok += sum(outcome.state == "ok" for outcome in run.outcomes.values())
        simulated += run.used
    cpu = time.process_time() - began
    alone = line(mangled=mangled)
    began = time.process_time()
    for requests in sent:
        for at, data in requests:
            while (due := alone.next_at()) is not None and due <= at:
                alone.take(due)
            alone.send(data, at)
    return Pace(runs, sum(map(len, sent)), ok, simulated, cpu, time.process_time() - began)


def row(name: str, paces: list[Pace]) -> tuple[str, ...]:
    best = min(paces, key=lambda one: one.cpu)
    reader = best.cpu - best.cpu_of_line
    return (
        name,
        str(best.runs),
        f"{best.requests / best.runs:.2f}",
        f"{100 * best.ok / (3 * best.runs):.1f} %",
        f"{best.runs / best.cpu:.0f}",
        f"{best.requests / best.cpu:.0f}",
        f"{best.simulated / best.cpu:.0f}",
        f"{best.cpu_of_line / best.cpu:.2f}",
        f"{reader / best.requests * 1e6:.0f}",
    )


def main() -> None:
    show(
        "Conversations in virtual time: pump, driver and judge read three inverters",
        f"CPU of one process, best of {ROUNDS} rounds; a run every {APART:.0f} s of virtual time, default settings, memory kept from run to\n"
        "run. Damaged: seven answers of ten, by the kinds of pv_exec/sim/mangle.py. × real: seconds on the simulated line per\n"
        "second of CPU. Line: share of stations and line, by the same requests without a reader; reader: the rest per request.",
        ("line", "runs", "requests/run", "ok", "runs/s", "requests/s", "× real", "line", "reader µs"),
        [
            row(name, [pace(RUNS, mangled=mangled) for _ in range(ROUNDS)])
            for name, mangled in (("healthy", False), ("damaged", True))
        ],
    )


if __name__ == "__main__":
    main()
