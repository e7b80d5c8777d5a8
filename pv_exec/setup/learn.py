"""Gets to know a bus: who is there, and what a read has to know of each. Apart from reading, as it takes minutes.

What is learned is on the disk as soon as it is known, so whatever ends this, the next one goes on where it was.
"""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any, NamedTuple, Protocol

from pv_exec import drivers, links
from pv_exec.box import clock, lock, toml
from pv_exec.box.errors import UNREACHABLE, ConfigFaults, LinkError, Usage
from pv_exec.box.settings import Fault
from pv_exec.config import LISTS, BusTable, Config
from pv_exec.conversation import Conversation
from pv_exec.model import Bus, Found, Inverter, Outcome, Progress
from pv_exec.run.plan import BusPlan, make
from pv_exec.run.pump import Terms, pump
from pv_exec.run.worker import as_owner_of
from pv_exec.setup import check, yasdi
from pv_exec.setup.progress import Teller
from pv_exec.setup.store import Stopped, Store, stoppable

BUDGET = 1800.0
"""Seconds for one line setting: lists of ten types at 1200 baud with every other packet lost."""


class Learner(Protocol):
    """What a family that has to be learned has beside its driver: a module `learn`."""

    def lines(self, options: Any, /, *, bridged: bool) -> Iterable[Any]:
        """The driver's Options to try one after the other, the configured ones first; `bridged`: the bridge has the line."""

    def learn(self, bus: Bus, /) -> Conversation[None]:
        """Report Found for who is learned, an Outcome for who is there and cannot be, and Progress; Keep what is learned."""


class Learned(NamedTuple):
    """What became of it."""

    found: dict[Any, Found]
    """Address or serial number → what is learned of it."""
    missing: tuple[str, ...]
    """What is not, a sentence each."""
    status: int


def learner(driver: str) -> Learner | None:
    """The learning side of a family; None where nothing has to be learned."""
    path = f"{drivers.DRIVERS[driver].rpartition('.')[0]}.learn"
    try:
        module: Any = import_module(path)
    except ModuleNotFoundError as error:
        if error.name != path:
            raise
        return None
    found: Learner = module
    return found


# -- which bus ---------------------------------------------------------------------------------------------------------


class Chosen(NamedTuple):
    """The bus to learn."""

    plan: BusPlan
    table: BusTable
    inverters: tuple[Inverter, ...]
    """Those listed already, as far as they are listed rightly."""
    short: str
    """The key that tells its inverters apart."""


def choose(settings: Config, name: str) -> Chosen:
    """The bus of that name. That its inverters are not listed yet is why it is learned, so it is no fault here.

    Raises Usage for a name that is none and a family that needs no learning, ConfigFaults for other faults of the bus.
    """
    plan, faults = make(settings)
    at = next((at for at, bus in enumerate(plan.buses) if bus.name == name), None)
    if at is None:
        known = ", ".join(bus.name for bus in plan.buses)
        raise Usage(f'no bus is called "{name}"', f"the configuration has: {known or 'none'}")
    bus = plan.buses[at]
    for fault in faults:
        if fault.path[:2] == ("bus", at) and fault.kind != "unknown" and not _is_of_listing(fault):
            raise ConfigFaults(check.located(fault, settings))
    if learner(bus.driver) is None:
        able = [one for one in drivers.DRIVERS if learner(one)]
        raise Usage(
            f"the inverters of {name} need not be learned: its driver {bus.driver} keeps nothing of them",
            f"learned are those of: {', '.join(able) or 'no driver yet'}",
        )
    inverters = tuple(inverter for inverter in bus.inverters if inverter.unit is not None)
    return Chosen(bus, settings.buses[at], inverters, drivers.load(bus.driver).SHORT)


def _is_of_listing(fault: Fault) -> bool:
    """Nobody listed, or listed without the number that is yet to be learned."""
    return (
        len(fault.path) > 2 and fault.path[2] in LISTS and (fault.kind == "missing" or fault.found == EMPTY)
    )


EMPTY = "an empty list"
"""As the plan calls `inverters = []`."""


# -- learning ----------------------------------------------------------------------------------------------------------


def run(
    settings: Config, chosen: Chosen, tell: Teller, *, count: int = 0, imports: Iterable[str] = ()
) -> Learned:
    """Learn a bus. `count`: how many inverters are there, 0: as many as are listed, or whoever answers.

    `imports`: files of YASDI. Raises Usage for one that is none, and NotKept; whatever ends the conversation itself is
    told and in the status.
    """
    name, files = chosen.plan.name, list(imports)
    if files and chosen.plan.driver != yasdi.DRIVER:
        raise Usage(f"{name} is no bus of {yasdi.DRIVER}", "YASDI's channel lists are of no use for it")
    taken = [yasdi.take_list(path) for path in files]  # all of them are right, or nothing is touched
    store = Store(settings, name)
    if store.why_not:
        tell.say(f"a download that breaks off cannot go on later: {store.why_not}")
    for path, one in zip(files, taken, strict=True):
        store.keep(one.keep)
        doubt = f"; not sure to be whole: {one.doubt}" if one.doubt else ""
        tell.say(f"{path} is taken over: {one.channels} channels of {one.type}{doubt}")
    serials = [getattr(inverter.unit, chosen.short) for inverter in chosen.inverters]
    if taken and serials and not count and not yasdi.unlearned(store.kept, serials):
        tell.say(f"every inverter of {name} is learned already; nothing was asked")
        return Learned({}, (), 0)
    return _Session(chosen, store, count, tell).run()


class _Session:
    """One device, locked, and the conversations on it."""

    def __init__(self, chosen: Chosen, store: Store, count: int, tell: Teller) -> None:
        self.chosen = chosen
        self.store = store
        self.count = count
        self.tell = tell
        self.found: dict[Any, Found] = {}
        self.failed: dict[str, str] = {}

    def run(self) -> Learned:
        try:
            self._locked()
        except Stopped as stop:
            self.tell.say(
                f"stopped; what was learned is kept: pv-setup learn {self.chosen.plan.name} goes on"
            )
            return Learned(self.found, tuple(self._unfit()), 128 + stop.number)
        except LinkError as error:
            self.tell.say(f"{error.state}: {error}")
            return Learned(self.found, tuple(self._unfit()), UNREACHABLE)
        missing = (*self._unfit(), *self._missing())
        return Learned(self.found, missing, UNREACHABLE if missing else 0)

    def _locked(self) -> None:
        """Raises LinkError, and Stopped."""
        plan, store = self.chosen.plan, self.store
        place = links.locate(plan.port, plan.others, store.kept.get("port", b"").decode("utf-8", "replace"))
        with as_owner_of(store.runtime):
            held = lock.take(store.runtime, links.lock_key(place))
        if held.why:
            self.tell.say(held.why)
        try:
            self._search(place, held)
        finally:
            held.release()

    def _search(self, place: str, held: lock.Lock) -> None:
        """One line setting after the other until somebody answers."""
        plan = self.chosen.plan
        learns = learner(plan.driver)
        assert learns is not None
        bridged = links.scheme(place) == "tcp"
        for options in learns.lines(plan.options, bridged=bridged):
            self._talk(learns, place, held, options, bridged=bridged)
            if self.found or self.failed:
                if other := _differing(plan.options, options):
                    self.tell.say(f"{plan.name} answers with other settings; into its [[bus]] table: {other}")
                return

    def _talk(self, learns: Learner, place: str, held: lock.Lock, options: Any, *, bridged: bool) -> None:
        plan = self.chosen.plan
        bus = Bus(plan.name, self.chosen.inverters, options, bridged=bridged, expect=self.count)
        wire = drivers.load(plan.driver).wire(bus)
        self.tell.say(f"asking on {place}" + ("" if bridged else f" at {wire.baudrate} baud"))
        link = links.opener(place)(place, wire)
        now = clock.boottime()
        bus = bus._replace(
            wall=time.time(), boottime=now, boot_id=clock.boot_id(), budget=BUDGET, kept=dict(self.store.kept)
        )
        last = held.last_request if held.held else now
        terms = Terms(clock.boottime, now + BUDGET, wire.gap, wire.quiet, last, held.note_request)
        try:
            pump(learns.learn(bus), link, terms, self._hear, self.store.keep)
        finally:
            link.close()
            self.tell.clear()

    def _hear(self, what: Outcome | Found | Progress) -> None:
        if isinstance(what, Progress):
            self.tell.progress(what)
        elif isinstance(what, Found):
            self.found[what.keys[self.chosen.short]] = what
            self.tell.say(f"{what.keys[self.chosen.short]} is learned: {what.text}")
        else:
            self.failed[what.inverter] = f"{what.state}: {what.error}"

    def _unfit(self) -> Iterator[str]:
        for name, why in self.failed.items():
            yield f"{name} answers and is not learned: {why}"

    def _missing(self) -> Iterator[str]:
        """Who was asked for and did not answer."""
        for inverter in self.chosen.inverters:
            if (
                getattr(inverter.unit, self.chosen.short) not in self.found
                and inverter.name not in self.failed
            ):
                yield f"{inverter.name}: not found"
        there = len(self.found) + len(self.failed)
        if self.count > there:
            yield f"{there} of {self.count} answered"
        elif not there and not self.chosen.inverters:
            yield f"nobody answers on {self.chosen.plan.name}"


def _differing(configured: Any, used: Any) -> str:
    pairs = zip(used._fields, configured, used, strict=True)
    return ", ".join(f"{key} = {toml.written(new)}" for key, old, new in pairs if old != new)


# -- what to paste -----------------------------------------------------------------------------------------------------


def render(found: Mapping[Any, Found], chosen: Chosen) -> str:
    """The [[bus.inverter]] tables of what was learned, as TOML; those that the configuration has are comments."""
    listed = {getattr(one.unit, chosen.short): one.name for one in chosen.inverters}
    lines: list[str] = []
    if any(identity not in listed for identity in found):
        lines.append(f"# Into the [[bus]] table with name = {toml.written(chosen.plan.name)}:")
        if isinstance(chosen.table.rest.get(LISTS[0]), list):
            lines.append(
                f"# (which lists its inverters as `{LISTS[0]} = […]`: write the numbers there instead.)"
            )
    for identity, one in found.items():
        have = identity in listed
        mark = "# " if have else ""
        already = f", in the configuration already (as {listed[identity]})" if have else ""
        lines += ["", f"# {one.text}{already}"] if lines else [f"# {one.text}{already}"]
        lines.append(f"{mark}[[bus.inverter]]")
        lines += [f"{mark}{key} = {toml.written(value)}" for key, value in one.keys.items()]
    return "".join(f"{_plain(line)}\n" for line in lines)


def _plain(line: str) -> str:
    """What an inverter calls itself ends no line and moves no cursor."""
    return "".join(char if char.isprintable() else "?" for char in line)


def main(settings: Config, name: str, *, count: int, imports: Iterable[str]) -> int:
    """`pv-setup learn`: progress and what is wrong on stderr, the tables to paste on stdout; returns the exit status."""
    tell = Teller(sys.stderr, clock.boottime)
    chosen = choose(settings, name)
    try:
        with stoppable():
            learned = run(settings, chosen, tell, count=count, imports=imports)
    except Stopped as stop:
        return 128 + stop.number
    print(render(learned.found, chosen), end="")
    for sentence in learned.missing:
        tell.say(sentence)
    if learned.missing and not learned.found:
        tell.say(ADVICE)
    elif learned.found and not learned.status:
        tell.say(f"next: pv-setup check, then: pv-read --bus {name} --format table")
    return learned.status


ADVICE = (
    "inverters sleep without sun; is A on A and B on B, the adapter one for RS485, the line terminated at both ends? "
    "Another master on this bus (Sunny Boy Control, WebBox) has to be off"
)
