"""The process that touches one bus: lock, run record, memory, port, conversation. It may hang; the parent never waits for it."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pv_exec.box import clock, lock, paths, records
from pv_exec.box.errors import LinkError, PvError
from pv_exec.conversation import Driver, Keep, Link, Wire
from pv_exec.links import locate, lock_key, scheme, steady_name
from pv_exec.model import Bus, Found, Outcome, Progress
from pv_exec.run import dusk, memory, pipes
from pv_exec.run.judge import Track, judge
from pv_exec.run.plan import BusPlan, Plan
from pv_exec.run.pump import Terms, pump
from pv_exec.trace import Recorder

RESERVE = 0.4
"""Seconds of the deadline that no conversation gets: 0.3 for the keeper's commit, the rest for printing."""

OVERTIME = 2.0
"""Seconds after the deadline at which a worker that can still be killed is."""

HIGHEST_FD = 4096

DURABLY = 3600.0
"""Seconds between two writes of the last totals to the disk; in between they are in the runtime directory."""

Opener = Callable[[str, Wire], Link]


def work(plan: Plan, bus: BusPlan, driver: Driver, open_link: Opener, out: int, deadline: float) -> None:
    """Read one bus and send what becomes of it through `out`; `deadline` is a boottime. Runs in a child of its own."""
    signal.setitimer(signal.ITIMER_REAL, max(deadline - clock.boottime(), 0.0) + OVERTIME)
    try:
        _read(plan, bus, driver, open_link, out, deadline - RESERVE)
    except LinkError as error:
        pipes.send(out, "failed", error.state, str(error))
    except PvError as error:
        pipes.send(out, "failed", "error", str(error))
    except Exception as error:  # noqa: BLE001 -- a bug costs this bus, and is told; the others are read
        import traceback

        at = traceback.extract_tb(error.__traceback__)[-1]
        pipes.send(
            out,
            "bug",
            f"{type(error).__name__}: {error} ({os.path.basename(at.filename)}:{at.lineno})",
            traceback.format_exc(),
        )
    pipes.send(out, "end")


def _read(plan: Plan, bus: BusPlan, driver: Driver, open_link: Opener, out: int, ends: float) -> None:
    runtime, state = paths.runtime_directory(plan.runtime), paths.state_directory(plan.state)
    fault: LinkError | None = None
    place = bus.port
    with as_owner_of(runtime):
        paths.ensure(runtime)  # what is wrong with it, the lock says
        # Before the lock: who hangs on the disk must not keep the bus from the next run.
        kept = memory.load(runtime, state, bus.name)
        try:
            place = locate(bus.port, bus.others, kept.get("port", b"").decode("utf-8", "replace"))
        except LinkError as error:
            fault = error
        held = lock.take(runtime, lock_key(place))
        record = records.start(runtime, bus.name)
        trusted = clock.trusted(plan.clock, runtime)
    pipes.send(out, "began", *record[:6])
    if held.why:
        pipes.send(out, "remark", held.why)
    if fault:
        raise fault
    now, wall = clock.boottime(), time.time()
    elevation = dusk.sun_height(plan.site, wall, trusted)
    asked, ok = memory.times(kept, clock.boot_id())
    inverters = dusk.chosen(bus.inverters, elevation, asked, ok, now)
    for inverter in bus.inverters:
        if inverter not in inverters and inverter._replace(expected=False) not in inverters:
            _send_outcome(out, Outcome(inverter.name, "silent", at=now))
    wire = driver.wire(Bus(bus.name, bus.inverters, bus.options))
    link = open_link(place, wire)
    if plan.trace:
        about: dict[str, str | float] = {
            "bus": bus.name,
            "driver": bus.driver,
            "port": place,
            "wall": int(wall),
        }
        try:
            link = Recorder(link, plan.trace, clock.boottime, **about)
        except PvError as error:
            pipes.send(out, "remark", str(error))  # a trace that cannot be written costs no reading
    now = clock.boottime()
    seen = Bus(
        bus.name,
        inverters,
        bus.options,
        bridged=scheme(place) == "tcp",
        wall=wall,
        boottime=now,
        boot_id=clock.boot_id(),
        budget=ends - now,
        trusted=trusted,
        elevation=elevation,
        kept=kept,
    )
    report = _Reporter(out, kept, place if place != bus.port else "")
    # Without a lock file nobody knows when the bus was last asked, so the gap is kept as if it were just now.
    last_request = held.last_request if held.held else now
    terms = Terms(clock.boottime, ends, wire.gap, wire.quiet, last_request, held.note_request)
    try:
        pump(driver.read(seen), link, terms, report, report.keep)
    finally:
        link.close()
        held.release()


@contextmanager
def as_owner_of(directory: str) -> Iterator[None]:
    """Write files as the directory's owner, so that a `sudo pv-read` leaves none that Telegraf cannot write.

    Only for the while: the port may be open to root alone.
    """
    owner = paths.owner(directory)
    if owner:
        os.setegid(owner[1])
        os.seteuid(owner[0])
    try:
        yield
    finally:
        if owner:
            os.seteuid(0)
            os.setegid(0)


class _Reporter:
    """Judges each outcome as it comes and sends it on at once, with what is to be kept."""

    def __init__(self, out: int, kept: dict[str, bytes], found_port: str) -> None:
        self.out = out
        self.boot = clock.boot_id()
        self.found_port = found_port
        self.tracks, self.saved = memory.tracks(kept)

    def __call__(self, what: Outcome | Found | Progress) -> None:
        if not isinstance(what, Outcome):
            return
        outcome = what._replace(at=clock.boottime())
        if outcome.state == "ok":
            ruling = judge(outcome, self.tracks.get(outcome.inverter, {}), self.boot)
            outcome = ruling.outcome
            self._remember(ruling.tracks, outcome)
            for event in ruling.events:
                pipes.send(self.out, "event", *event)
        _send_outcome(self.out, outcome)

    def keep(self, step: Keep) -> None:
        pipes.send(self.out, "keep", step.name, step.data, step.durable)

    def _remember(self, tracks: dict[str, Track], outcome: Outcome) -> None:
        self.tracks[outcome.inverter] = tracks
        due = self.saved is None or self.saved[1] != self.boot or outcome.at - self.saved[0] >= DURABLY
        if due:
            self.saved = (outcome.at, self.boot)
        pipes.send(self.out, "keep", "tracks", memory.dump_tracks(self.tracks, self.saved), due)
        if self.found_port:
            pipes.send(self.out, "keep", "port", steady_name(self.found_port).encode(), True)
            self.found_port = ""


def _send_outcome(out: int, outcome: Outcome) -> None:
    if not pipes.send(out, "outcome", *outcome._replace(values=dict(outcome.values))):
        raise SystemExit  # the parent was killed: nobody wants the rest, and the next run wants the bus


def child_of(fork: Callable[[], int], body: Callable[[], None], keep: tuple[int, ...]) -> int:
    """Fork a child that runs `body` with no file open but `keep` and its standard files on /dev/null; returns its pid.

    A grandchild that held stdout would hang Telegraf itself (it waits for the end of the pipe), and a closed fd 1
    would become the next device opened: so the standard files are replaced, never closed.
    """
    pid = fork()
    if pid:
        return pid
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        low = 3
        for fd in sorted(keep):
            os.closerange(low, fd)
            low = fd + 1
        os.closerange(low, HIGHEST_FD)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        body()
    finally:
        os._exit(0)
