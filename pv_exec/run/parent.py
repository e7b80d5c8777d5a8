"""One run: fork a keeper and a worker per bus, collect what they say until all have ended or the time is up.

From the fork on the parent touches neither device nor disk and waits for no child: whatever hangs, it prints and exits.
"""

import os
import select
import signal
import time
from functools import partial
from typing import NamedTuple

from pv_exec import drivers, links
from pv_exec.box import clock, proc
from pv_exec.box.errors import LinkError
from pv_exec.conversation import Driver
from pv_exec.model import Event, Outcome
from pv_exec.run import pipes
from pv_exec.run.keeper import keep
from pv_exec.run.plan import BusPlan, Plan
from pv_exec.run.worker import Opener, child_of, work

HELLO = 0.2
"""Seconds to wait for the keeper's number once all buses are done: only a run that is over at once, its port missing, ever waits."""

ENDED = ("timeout", "the run was ended from outside before this inverter was done")


class Reading(NamedTuple):
    """What became of one run, before anything is written."""

    outcomes: dict[str, dict[str, Outcome]]
    """Bus → inverter → outcome; every configured inverter has one."""
    events: tuple[tuple[str, Event], ...]
    """Bus and event."""
    seq: int
    trusted: bool
    last_ok: dict[str, dict[str, float]]
    """Bus → inverter → boottime of its last good answer before this run."""
    remarks: tuple[str, ...]
    """What was not as it should be and cost no reading."""
    bugs: tuple[str, ...]
    """Tracebacks of our own faults."""


class _Child:
    """A worker as the parent sees it."""

    def __init__(self, bus: BusPlan, deadline: float) -> None:
        self.bus = bus
        self.deadline = deadline
        self.pid = 0
        self.inbox: pipes.Inbox | None = None
        self.record: tuple[object, ...] | None = None
        self.outcomes: dict[str, Outcome] = {}
        self.ended = bool(bus.fault)
        for inverter in bus.inverters if bus.fault else ():
            self.outcomes[inverter.name] = Outcome(inverter.name, "config", error=bus.fault)

    def fill(self, state: str, error: str) -> None:
        """Give every inverter that has no outcome yet this one."""
        for inverter in self.bus.inverters:
            self.outcomes.setdefault(inverter.name, Outcome(inverter.name, state, error=error))

    def fail(self, error: str) -> None:
        """Give up a bus that nobody could be sent to."""
        self.fill("error", error)
        self.ended = True


class Run:
    """The parent's side of one run; `stop` may be called from a signal handler."""

    def __init__(self, plan: Plan, started: float) -> None:
        """`started`: boottime at which this process began; deadlines count from there."""
        self.plan = plan
        self.children = [_Child(bus, started + bus.deadline) for bus in plan.buses]
        self.ends = max((child.deadline for child in self.children), default=started)
        self.events: list[tuple[str, Event]] = []
        self.remarks: list[str] = []
        self.bugs: list[str] = []
        self.hello: tuple[int, bool, dict[str, dict[str, float]]] | None = None
        self.stopping = False
        self.stopped, self._stop = os.pipe()
        self.to_keeper = -1
        self.keeper: pipes.Inbox | None = None

    def stop(self) -> None:
        """End the run now with what is complete."""
        self.stopping = True
        os.write(self._stop, b"x")

    def perform(self) -> Reading:
        """Fork, collect, and hand the ends to the keeper."""
        self._fork()
        self._collect()
        for child in self.children:
            child.fill(*(ENDED if self.stopping else ("hung", _what_hangs(child.pid))))
            outcomes = {name: tuple(one._replace(values={})) for name, one in child.outcomes.items()}
            record = child.record if child.ended else None  # that of a hung run stays as it is, to be seen
            self._tell("ended", child.bus.name, record, outcomes)
        if self.to_keeper >= 0:
            os.close(self.to_keeper)
        self._dismiss()
        seq, trusted, last_ok = self.hello or (0, clock.evidence(self.plan.clock), {})
        outcomes_by_bus = {child.bus.name: child.outcomes for child in self.children}
        return Reading(
            outcomes_by_bus, tuple(self.events), seq, trusted, last_ok, tuple(self.remarks), tuple(self.bugs)
        )

    def _fork(self) -> None:
        """Everything a child needs is imported before; nothing is opened before.

        A child that cannot be started (no module, no process, no file to be had) costs its own part alone; the keeper
        comes last, as a reading that nobody remembers is still a reading.
        """
        ready = []
        for child in self.children:
            if not child.ended:
                try:
                    ready.append((child, drivers.load(child.bus.driver), links.opener(child.bus.port)))
                except (LinkError, OSError) as error:
                    child.fail(str(error))
        for child, driver, open_link in ready:
            try:
                self._fork_worker(child, driver, open_link)
            except OSError as error:
                child.fail(f"no process could be started to read this bus: {error.strerror}")
        try:
            self._fork_keeper()
        except OSError as error:
            self.remarks.append(f"nothing of this run will be remembered: {error.strerror}")

    def _fork_worker(self, child: _Child, driver: Driver, open_link: Opener) -> None:
        inbox, out = os.pipe()
        try:
            body = partial(work, self.plan, child.bus, driver, open_link, out, child.deadline)
            child.pid = child_of(os.fork, body, (out,))
        finally:
            os.close(out)
        child.inbox = pipes.Inbox(inbox)

    def _fork_keeper(self) -> None:
        keeper_in, to_keeper = os.pipe()
        from_keeper, keeper_out = os.pipe()
        try:
            body = partial(keep, self.plan, keeper_in, keeper_out, self.ends)
            child_of(os.fork, body, (keeper_in, keeper_out))
        finally:
            os.close(keeper_in)
            os.close(keeper_out)
        os.set_blocking(to_keeper, False)
        self.to_keeper = to_keeper
        self.keeper = pipes.Inbox(from_keeper)

    def _dismiss(self) -> None:
        """End the workers that are still there, so that the next run finds the bus free; none is waited for."""
        for child in self.children:
            if child.pid and not child.ended:
                os.kill(child.pid, signal.SIGTERM)

    def _collect(self) -> None:
        poll = select.poll()
        poll.register(self.stopped, select.POLLIN)
        by_fd: dict[int, _Child] = {}
        for child in self.children:
            if child.inbox:
                by_fd[child.inbox.fd] = child
                poll.register(child.inbox.fd, select.POLLIN)
        if self.keeper:
            poll.register(self.keeper.fd, select.POLLIN)
        while True:
            now = clock.boottime()
            running = [child for child in self.children if not child.ended and child.deadline > now]
            if running:
                until = max(child.deadline for child in running)
            elif self.hello is None and self.keeper and not self.keeper.ended:
                until = min(self.ends, now + HELLO)
            else:
                return
            fds = [fd for fd, _ in poll.poll(max(until - now, 0.0) * 1000)]
            if self.stopped in fds or (not running and not fds):
                return
            for fd in fds:
                if self.keeper and fd == self.keeper.fd:
                    self._hear_keeper(self.keeper)
                    ended = self.keeper.ended
                else:
                    self._hear(by_fd[fd])
                    ended = by_fd[fd].ended
                if ended:
                    poll.unregister(fd)

    def _tell(self, *record: object) -> None:
        """Tell the keeper; one that does not read any more is given up, as half a record would spoil the rest."""
        if self.to_keeper >= 0 and not pipes.send(self.to_keeper, *record):
            os.close(self.to_keeper)
            self.to_keeper = -1

    def _hear_keeper(self, inbox: pipes.Inbox) -> None:
        for _, seq, trusted, last_ok in inbox.receive():
            self.hello = (seq, trusted, last_ok)

    def _hear(self, child: _Child) -> None:
        assert child.inbox is not None
        for what, *rest in child.inbox.receive():
            if what == "outcome":
                outcome = Outcome(*rest)
                child.outcomes[outcome.inverter] = outcome
            elif what == "keep":
                self._tell("keep", child.bus.name, *rest)
            elif what == "event":
                self.events.append((child.bus.name, Event(*rest)))
            elif what == "remark":
                self.remarks.append(f"{child.bus.name}: {rest[0]}")
            elif what == "began":
                child.record = tuple(rest)
            elif what == "failed":
                child.fill(*rest)
            elif what == "bug":
                child.fill("error", rest[0])
                self.bugs.append(rest[1])
            elif what == "end":
                child.ended = True
        if child.inbox.ended and not child.ended:
            child.ended = True
            child.fill(*_killed(child.pid))


def _killed(pid: int) -> tuple[str, str]:
    """What to say of a worker whose pipe closed without a last word; its status follows the pipe by a moment."""
    for _ in range(50):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            if not os.WIFSIGNALED(status):
                break
            number = os.WTERMSIG(status)
            if number in (signal.SIGTERM, signal.SIGINT):  # the group got it, and so will we
                return ENDED
            return "error", f"the reader of this bus was ended by signal {number}"
        time.sleep(0.001)
    return "error", "the reader of this bus ended without a word"


def _what_hangs(pid: int) -> str:
    process = proc.state(pid) if pid else None
    return (
        f"the reader of this bus did not end: {proc.describe(process)}"
        if process
        else "the reader of this bus did not end"
    )
