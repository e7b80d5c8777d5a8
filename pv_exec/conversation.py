"""The seam between a driver and everything else: a conversation is a generator without I/O.

It yields what it wants done and is resumed with what was heard. `run/pump.py` performs it on a link; a test
performs it on a simulator in virtual time, or on a recorded trace.
"""

import json
from collections.abc import Callable, Generator
from typing import Any, NamedTuple, Protocol, TypeVar

from pv_exec.box.errors import AnswerError, Corrupt, Silent
from pv_exec.model import Bus, Found, Inverter, Outcome, Progress

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Send(NamedTuple):
    """Put bytes on the line, after the bus's gap and once it is quiet. Resumed with what strayed in before."""

    data: bytes
    attempt: int = 1
    """How often this question has been put now."""


class Listen(NamedTuple):
    """Resumed with the next bytes, or with b"" after so many seconds without one."""

    seconds: float


class Report(NamedTuple):
    """Tell the parent now."""

    what: Outcome | Found | Progress


class Keep(NamedTuple):
    """Remember under a name: `bus.kept[name]` from the next run on. Durable: also over a reboot."""

    name: str
    data: bytes
    durable: bool = True


def packed(what: Any) -> bytes:
    """A table as it is kept: the same text for the same table, so that a comparison tells whether it changed."""
    return json.dumps(what, sort_keys=True, separators=(",", ":")).encode()


def unpacked(data: bytes) -> dict[str, Any]:
    """A kept table; a damaged one, or what another version wrote, is an empty one: what it said is learned again."""
    try:
        return table(json.loads(data))
    except (ValueError, RecursionError):
        return {}


def table(what: Any) -> dict[str, Any]:
    """A part of a kept table that ought to be a table itself; an empty one where it is not."""
    return what if isinstance(what, dict) else {}


class Heard(NamedTuple):
    """What came, and the seconds left of the bus's budget."""

    data: bytes
    left: float


Step = Send | Listen | Report | Keep
Conversation = Generator[Step, Heard, T]


class OutOfTime(Exception):
    """The budget of the bus is used up: only Report and Keep are performed from here on."""


class Query(Protocol[T_co]):
    """One question: the bytes to send and how to know the answer. Pure; lives in a family's codec."""

    @property
    def request(self) -> bytes:
        """The bytes to send."""

    @property
    def silent_tries(self) -> int:
        """How often the question is put while nothing at all answers."""

    def begun(self, heard: bytes) -> bool:
        """Tell whether an answer has started; an echo of the question and noise are none."""

    def answer(self, heard: bytes, *, ended: bool) -> T_co | None:
        """Return the whole answer, or None while more must come (`ended`: nothing more will).

        Raises Corrupt when what came cannot become an answer, AddressConflict when two devices gave one.
        """


MOMENT = 1e-6
"""Seconds that are no time: a wait for less might not move a clock that counts in floats, and never end."""


def ask(query: Query[T], *, within: float, idle: float, reserve: float = 0.0) -> Conversation[T]:
    """Put a question and return its answer; the one place where anything is asked again.

    `within`: seconds from the question to the beginning of an answer. `idle`: seconds without a byte that end it.
    `reserve`: seconds of the budget to leave untouched, for a log-off. A corrupt answer is asked for once more
    (kaco-serial and the vendors' loggers do the same), a silent device as often as the query says.

    Raises Silent, Corrupt, Refused, AddressConflict, and OutOfTime.
    """
    corrupt = silent = 0
    while True:
        try:
            return (yield from _once(query, 1 + corrupt + silent, within, idle, reserve))
        except Corrupt:
            corrupt += 1
            if corrupt > 1:
                raise
        except Silent:
            silent += 1
            if silent >= query.silent_tries or corrupt:
                raise


def _once(query: Query[T], attempt: int, within: float, idle: float, reserve: float) -> Conversation[T]:
    left = (yield Send(query.request, attempt)).left
    ends = left - within  # the conversation has no clock: what is left of the budget tells the time
    heard = b""
    begun = False
    while True:
        if left - reserve < MOMENT:
            raise OutOfTime
        patience = min(idle if begun else left - ends, left - reserve)
        data, left = yield Listen(max(patience, 0.0))
        heard += data
        overdue = left - ends < MOMENT
        ended = not data and (begun or overdue)
        begun = begun or query.begun(heard)
        if begun:
            try:
                answer = query.answer(heard, ended=ended)
                if ended and answer is None:
                    raise Corrupt(f"the answer broke off after {len(heard)} bytes")
            except Corrupt:
                if left - reserve < MOMENT:
                    raise OutOfTime from None  # it was our time that ended, not the answer
                raise
            if answer is not None:
                return answer
        elif ended or overdue:
            if heard:
                query.answer(
                    heard, ended=True
                )  # raises Corrupt where another device spoke, or an answer lost its head
            noise = f" ({len(heard)} bytes of echo or noise)" if heard.strip(b"\0") else ""
            raise Silent(f"no answer within {within:g} s{noise}")


def turn(inverter: Inverter, measure: Conversation[Outcome]) -> Conversation[Outcome]:
    """One inverter's part of a read: perform `measure`, and make an outcome of whatever it ends with.

    Counts the tries and the seconds, so that no driver has to; the next inverter goes on whatever happened.
    """
    attempts = 0
    first: float | None = None
    last: float | None = None

    def told(outcome: Outcome) -> Outcome:
        spent = 0.0 if first is None or last is None else first - last
        return outcome._replace(attempts=attempts, duration=spent)

    try:
        step = next(measure)
        while True:
            try:
                heard = yield step
            except OutOfTime as late:
                step = measure.throw(late)
                continue
            if isinstance(step, Send):
                attempts = max(attempts, step.attempt)
            if isinstance(step, Send | Listen):
                last = heard.left
                first = last if first is None else first
            step = measure.send(heard)
    except StopIteration as end:
        return told(end.value)
    except AnswerError as error:
        return told(Outcome(inverter.name, error.state, error=str(error)))
    except OutOfTime:
        return told(Outcome(inverter.name, "timeout", error="the time for this bus was used up"))


class Link(Protocol):
    """An open line to the inverters. Both calls raise LinkError, and only that."""

    def write(self, data: bytes) -> None:
        """Hand bytes to the line."""

    def read(self, seconds: float) -> bytes:
        """Return what is there as soon as something is; b"" after so many seconds of silence."""

    def close(self) -> None:
        """Give the line back; never raises."""


class Wire(NamedTuple):
    """How a bus's line is set up, and what a read of it takes; from the configuration alone. Times in seconds."""

    baudrate: int
    gap: float = 0.0
    """From the start of one question to the start of the next, at the least."""
    quiet: float = 0.02
    """Without a byte before a question is sent."""
    takes: float = 0.0
    """A whole read of healthy inverters."""
    healing: float = 0.0
    """What a run may need more to put something right by itself."""


class Driver(Protocol):
    """A family of inverters: a module of this shape, and one line in the registry.

    A family that has to get to know its inverters has `learn(bus)` besides, a conversation that reports Progress and
    Found, and keeps what `read` needs.
    """

    SCHEMES: tuple[str, ...]
    """Kinds of port that can carry it: `serial`, `tcp`, `rfcomm`."""
    SHORT: str
    """The key of Unit that a plain number in `inverters = [1, 2]` stands for; it is unique on a bus."""

    @property
    def Options(self) -> Callable[..., Any]:  # noqa: N802 -- a NamedTuple class
        """The keys of `[[bus]]` that only this family has."""

    @property
    def Unit(self) -> Callable[..., Any]:  # noqa: N802 -- as Options
        """The keys of `[[bus.inverter]]` besides `name`."""

    def wire(self, bus: Bus, /) -> Wire:
        """The line of this bus."""

    def read(self, bus: Bus, /) -> Conversation[None]:
        """Ask every inverter of the bus; Report(Outcome) for each."""
