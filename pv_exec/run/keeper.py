"""The process that writes: the number of the run, what is to be kept, the ends of the run records.

It takes its lock only for the moment of a write, as several runs (one per interval) may be under way at once. While a
process in state D holds that lock nothing is written: a dead card must not collect hung keepers.
"""

import os
import signal

from pv_exec.box import clock, lock, paths, records
from pv_exec.box.errors import Locked
from pv_exec.model import Outcome
from pv_exec.run import memory, pipes
from pv_exec.run.plan import Plan

OVERTIME = 5.0
"""Seconds after the deadline that a keeper may still write; it ends by itself when the parent does."""

PATIENCE = 0.2
"""Seconds to wait for another run's keeper to end its write."""

STEP = 0.01


def keep(plan: Plan, inbox: int, out: int, deadline: float) -> None:
    """Serve one run until its parent closes the pipe. Runs in a child of its own, which SIGTERM to the group leaves alone."""
    signal.setitimer(signal.ITIMER_REAL, max(deadline - clock.boottime(), 0.0) + OVERTIME)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    runtime, state = paths.runtime_directory(plan.runtime), paths.state_directory(plan.state)
    paths.step_down(runtime)
    for directory in (runtime, state):
        paths.ensure(directory)
    boot = clock.boot_id()
    ok = {bus.name: memory.times(memory.load(runtime, state, bus.name), boot)[1] for bus in plan.buses}
    pipes.send(out, "hello", _count(runtime), clock.trusted(plan.clock, runtime), ok)
    box = pipes.Inbox(inbox)
    while not box.ended:
        for what, *rest in box.receive():
            if what == "keep":
                _keep(runtime, state, *rest)
            elif what == "ended":
                _end(runtime, state, boot, *rest)


def _count(runtime: str) -> int:
    """The number of this run on this box, 0 where it cannot be counted."""
    path = os.path.join(runtime, "seq")
    try:
        held = _wait_for_lock(runtime)
        try:
            with open(path, "rb") as file:
                last = int(file.read() or b"0")
        except (FileNotFoundError, ValueError):
            last = 0
        paths.replace(path, b"%d\n" % (last + 1), durable=False)
        held.release()
    except (OSError, Locked):
        return 0
    return last + 1


def _wait_for_lock(runtime: str) -> lock.Lock:
    until = clock.boottime() + PATIENCE
    while True:
        try:
            return lock.take(runtime, "keeper")
        except Locked:
            if clock.boottime() >= until:
                raise
            signal.sigtimedwait((), STEP)


def _keep(runtime: str, state: str, bus: str, name: str, data: bytes, durable: bool) -> None:
    for directory in (runtime, state) if durable else (runtime,):
        try:
            paths.write_kept(directory, bus, name, data, durable=durable and directory == state)
        except OSError:
            pass  # a full or read-only disk costs the memory, never the reading


def _end(
    runtime: str,
    state: str,
    boot: str,
    bus: str,
    record: tuple[object, ...] | None,
    outcomes: dict[str, tuple[object, ...]],
) -> None:
    """Add the end to the run record, if the run wrote one, and note who was asked and who answered."""
    by_name = {name: Outcome(*outcome) for name, outcome in outcomes.items()}  # type: ignore[arg-type]  # as sent by the worker
    kept = memory.load(runtime, state, bus)
    _keep(runtime, state, bus, "times", memory.dump_times(kept, boot, by_name), durable=False)
    if record:
        states = {
            name: {"state": one.state, "at": one.at, "error": one.error} for name, one in by_name.items()
        }
        records.finish(runtime, records.Record(*record), states)  # type: ignore[arg-type]
