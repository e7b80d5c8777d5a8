"""A driver performed against simulated stations in virtual time, run after run as a worker would: for tests and benchmarks.

Nothing is opened and nobody sleeps; a day of runs takes seconds. What a run keeps is there in the next one.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pv_exec import config, drivers
from pv_exec.box.errors import LinkError
from pv_exec.conversation import Conversation, Driver, Keep, Link
from pv_exec.links import scheme
from pv_exec.model import Bus, Event, Found, Inverter, Outcome, Progress
from pv_exec.run import dusk, memory
from pv_exec.run.judge import judge
from pv_exec.run.plan import BusPlan, make
from pv_exec.run.pump import Terms, pump
from pv_exec.sim.line import Line
from pv_exec.sim.virtual import VirtualLink


def bus_plan(driver: str, inverters: list[Any], **keys: Any) -> BusPlan:
    """The plan of one bus, by way of a configuration: `keys` are those of its [[bus]] table, `inverters` either form.

    Raises ValueError with the faults of the configuration.
    """
    form = "inverter" if inverters and isinstance(inverters[0], Mapping) else "inverters"
    table = {"name": "roof", "driver": driver, "port": "/dev/ttyUSB0", form: inverters} | keys
    plan, faults = make(config.parse({"bus": [table]}))
    if faults:
        raise ValueError("; ".join(map(str, faults)))
    return plan.buses[0]


class Run(NamedTuple):
    """What came of one run. Times are boottimes, s."""

    outcomes: dict[str, Outcome]
    """Inverter → what would be published, judged: the last report counts."""
    reports: tuple[Outcome, ...]
    """Everything the driver said, in its order, with the time of it and before any judgement."""
    events: tuple[Event, ...]
    keeps: tuple[Keep, ...]
    sent: tuple[tuple[float, bytes], ...]
    """Every write to the line and when it began."""
    began: float
    ended: float
    fault: LinkError | None
    """Why the link gave up, which ends a run; None: it did not."""

    @property
    def used(self) -> float:
        """Seconds from the beginning to the end of the conversation."""
        return self.ended - self.began

    def states(self) -> dict[str, str]:
        """Inverter → state word."""
        return {name: outcome.state for name, outcome in self.outcomes.items()}


class Learned(NamedTuple):
    """What came of learning. Times are boottimes, s."""

    reports: tuple[Outcome | Found | Progress, ...]
    keeps: tuple[Keep, ...]
    sent: tuple[tuple[float, bytes], ...]
    used: float
    """Seconds."""
    fault: LinkError | None

    @property
    def found(self) -> tuple[Found, ...]:
        """Who was found."""
        return tuple(one for one in self.reports if isinstance(one, Found))


class _Noted:
    """A link that notes what is sent."""

    def __init__(self, link: Link, now: Callable[[], float]) -> None:
        self.link = link
        self.now = now
        self.sent: list[tuple[float, bytes]] = []
        self.read = link.read
        self.close = link.close

    def write(self, data: bytes) -> None:
        self.sent.append((self.now(), data))
        self.link.write(data)


class Rehearsal:
    """One bus, its line and its memory, over as many runs as wanted.

    `wall`: unix time of the line's second 0. `elevation`: unix time → degrees of the sun, None: not known.
    `wrap`: puts something between the conversation and the line, such as a Recorder.
    """

    def __init__(
        self,
        plan: BusPlan,
        line: Line,
        *,
        wall: float = 0.0,
        elevation: Callable[[float], float] | None = None,
        kept: Mapping[str, bytes] | None = None,
        wrap: Callable[[Link, Callable[[], float]], Link] = lambda link, _: link,
    ) -> None:
        self.plan = plan
        self.driver: Driver = drivers.load(plan.driver)
        self.link = VirtualLink(line)
        self.line = line
        self.wall = wall
        self.elevation = elevation
        self.kept: dict[str, bytes] = dict(kept or {})
        self.boots = 1
        self.booted = -1000.0
        self.last_request: float | None = None
        self.wrap = wrap

    def boottime(self) -> float:
        """Seconds since the last boot of the box that reads."""
        return self.link.now() - self.booted

    @property
    def boot_id(self) -> str:
        """Another one for each boot."""
        return f"boot-{self.boots}"

    def sleep(self, seconds: float) -> None:
        """Let time pass on the line."""
        self.link.sleep(seconds)

    def reboot(self) -> None:
        """The box starts again: boottime begins anew, and what was not durable is gone."""
        self.boots += 1
        self.booted = self.link.now() - 10.0
        self.last_request = None
        self.kept = {name: data for name, data in self.kept.items() if name in self.durable}

    durable: frozenset[str] = frozenset({"units", "tracks"})
    """Names that survive a reboot; each durable Keep adds its own."""

    def run(self, budget: float | None = None) -> Run:
        """Perform one read; `budget` in seconds, without one what the plan's deadline gives."""
        began = self.boottime()
        budget = self.plan.deadline if budget is None else budget
        wall = self.wall + self.link.now()
        height = self.elevation(wall) if self.elevation else None
        asked, ok = memory.times(self.kept, self.boot_id)
        inverters = dusk.chosen(self.plan.inverters, height, asked, ok, began)
        names = {inverter.name for inverter in inverters}
        outcomes = {
            one.name: Outcome(one.name, "silent", at=began)
            for one in self.plan.inverters
            if one.name not in names
        }
        bus = self._bus(inverters, budget, height)
        tracks, saved = memory.tracks(self.kept)
        reports: list[Outcome] = []
        events: list[Event] = []
        keeps: list[Keep] = []

        def report(what: Outcome | Found | Progress) -> None:
            if not isinstance(what, Outcome):
                return
            outcome = what._replace(at=self.boottime())
            reports.append(outcome)
            if outcome.state == "ok":
                ruling = judge(outcome, tracks.get(outcome.inverter, {}), self.boot_id)
                outcome = ruling.outcome
                tracks[outcome.inverter] = ruling.tracks
                events.extend(ruling.events)
            outcomes[outcome.inverter] = outcome

        fault: LinkError | None = None
        link = _Noted(self.link, self.boottime)
        try:
            self._perform(self.driver.read(bus), bus, link, report, keeps.append)
        except LinkError as error:
            fault = error
            for inverter in self.plan.inverters:
                outcomes.setdefault(inverter.name, Outcome(inverter.name, error.state, error=str(error)))
        self._take(keeps)
        if reports:
            self.kept["tracks"] = memory.dump_tracks(tracks, saved)
        self.kept["times"] = memory.dump_times(self.kept, self.boot_id, outcomes)
        return Run(
            outcomes,
            tuple(reports),
            tuple(events),
            tuple(keeps),
            tuple(link.sent),
            began,
            self.boottime(),
            fault,
        )

    def learn(self, budget: float = 900.0, expect: int = 0) -> Learned:
        """Perform the driver's `learn`, within so many seconds; what it keeps is there in the next run.

        `expect`: how many inverters there are, 0: as many as are listed. Raises AttributeError for a family without one.
        """
        began = self.boottime()
        reports: list[Outcome | Found | Progress] = []
        keeps: list[Keep] = []
        bus = self._bus(self.plan.inverters, budget, None)._replace(expect=expect)
        link = _Noted(self.link, self.boottime)
        fault: LinkError | None = None
        learn: Callable[[Bus], Conversation[None]] = getattr(self.driver, "learn")  # noqa: B009 -- not every family's
        try:
            self._perform(learn(bus), bus, link, reports.append, keeps.append)
        except LinkError as error:
            fault = error
        self._take(keeps)
        return Learned(tuple(reports), tuple(keeps), tuple(link.sent), self.boottime() - began, fault)

    def _bus(self, inverters: tuple[Inverter, ...], budget: float, height: float | None) -> Bus:
        return Bus(
            self.plan.name,
            inverters,
            self.plan.options,
            bridged=scheme(self.plan.port) == "tcp",
            wall=self.wall + self.link.now(),
            boottime=self.boottime(),
            boot_id=self.boot_id,
            budget=budget,
            trusted=True,
            elevation=height,
            kept=dict(self.kept),
        )

    def _perform(
        self,
        talk: Conversation[None],
        bus: Bus,
        link: Link,
        report: Callable[[Outcome | Found | Progress], None],
        keep: Callable[[Keep], None],
    ) -> None:
        """Open the port with the bus's line settings, and pump."""
        self.link.reopen()
        wire = self.driver.wire(bus)
        self.link.baudrate = wire.baudrate
        ends = bus.boottime + bus.budget
        terms = Terms(self.boottime, ends, wire.gap, wire.quiet, self.last_request, self._note_request)
        pump(talk, self.wrap(link, self.boottime), terms, report, keep)

    def _take(self, keeps: list[Keep]) -> None:
        """What was kept is there from the next run on."""
        for step in keeps:
            self.kept[step.name] = step.data
            if step.durable:
                self.durable |= {step.name}

    def _note_request(self, at: float) -> None:
        self.last_request = at
