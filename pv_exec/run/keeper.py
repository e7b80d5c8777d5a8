"""The process that writes: the number of the run, what is to be kept, the ends of the run records.

What belongs to this boot goes to the runtime directory, which is memory. Only for the disk it takes a lock of its own, and
only for the moment of a write, as several runs (one per interval) may be under way at once. While a process in state D
holds that lock nobody else goes near the disk: a dead card must not collect hung keepers.
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
    paths.ensure(runtime)
    boot = clock.boot_id()
    ok = {bus.name: memory.times(paths.read_kept(runtime, bus.name), boot)[1] for bus in plan.buses}
    pipes.send(out, "hello", _count(runtime), clock.trusted(plan.clock, runtime), ok)
    disk = _Disk(runtime, state)
    box = pipes.Inbox(inbox)
    while not box.ended:
        for what, *rest in box.receive():
            if what == "keep":
                bus, name, data, durable = rest
                _remember(runtime, bus, name, data)
                if durable:
                    disk.write(bus, name, data)
            elif what == "ended":
                _end(runtime, boot, *rest)


def _count(runtime: str) -> int:
    """The number of this run on this box, 0 where it cannot be counted."""
    path = os.path.join(runtime, "seq")
    try:
        held = _wait_for_lock(runtime, "seq")
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


def _wait_for_lock(runtime: str, key: str) -> lock.Lock:
    until = clock.boottime() + PATIENCE
    while True:
        try:
            return lock.take(runtime, key)
        except Locked:
            if clock.boottime() >= until:
                raise
            signal.sigtimedwait((), STEP)


def _remember(runtime: str, bus: str, name: str, data: bytes) -> None:
    try:
        paths.write_kept(runtime, bus, name, data, durable=False)
    except OSError:
        pass  # a full or read-only place costs the memory, never the reading


class _Disk:
    """The state directory, written under the keeper's lock; left alone for this run once it was not to be had."""

    def __init__(self, runtime: str, state: str) -> None:
        self.runtime = runtime
        self.state = state
        self.given_up = False

    def write(self, bus: str, name: str, data: bytes) -> None:
        """Keep something over reboots. May never return (state D), with the lock held."""
        if self.given_up:
            return
        try:
            held = _wait_for_lock(self.runtime, memory.DISK_LOCK)
        except Locked:
            self.given_up = True
            return
        try:
            paths.ensure(self.state)
            paths.write_kept(self.state, bus, name, data, durable=True)
        except OSError:
            self.given_up = True
        finally:
            held.release()


def _end(
    runtime: str,
    boot: str,
    bus: str,
    record: tuple[object, ...] | None,
    outcomes: dict[str, tuple[object, ...]],
) -> None:
    """Add the end to the run record, if the run wrote one, and note who was asked and who answered."""
    by_name = {name: Outcome(*outcome) for name, outcome in outcomes.items()}  # type: ignore[arg-type]  # as sent by the worker
    kept = paths.read_kept(runtime, bus)
    _remember(runtime, bus, "times", memory.dump_times(kept, boot, by_name))
    if record:
        states = {
            name: {"state": one.state, "at": one.at, "error": one.error} for name, one in by_name.items()
        }
        records.finish(runtime, records.Record(*record), states)  # type: ignore[arg-type]
