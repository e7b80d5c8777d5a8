"""SMA Sunny Boys on RS485: one moment is frozen for all, then each is asked at its remembered address, by serial number.

What may change over night is put right at the end of a run, so that mornings need no one: an inverter that is not where
it was is looked for by its serial number, and two on one address are set apart. Channel lists are never downloaded here
(52 s each): that is `learn`.
"""

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

from pv_exec.box.errors import AddressConflict, AnswerError, Corrupt, StaleList
from pv_exec.box.settings import Duration, Range, Text
from pv_exec.conversation import MOMENT, Conversation, Listen, OutOfTime, Query, Report, Send, Wire, ask, turn
from pv_exec.drivers.sma_rs485 import channels, codec, frames
from pv_exec.drivers.sma_rs485.memory import Known, Memory
from pv_exec.drivers.sma_rs485.messages import Data, Framing, Part, SynOnline
from pv_exec.drivers.sma_rs485.timing import TURNAROUND, idle, on_wire, within
from pv_exec.drivers.sma_rs485.values import Mapped, mapped
from pv_exec.model import Bus, Inverter, Outcome

__all__ = ["SCHEMES", "SHORT", "Options", "Unit", "learn", "read", "wire"]

SCHEMES: tuple[str, ...] = ("serial", "tcp")
SHORT = "serial"

USUAL_ANSWER = 92
"""Bytes on the wire of a WR20's answer to GET_DATA; what other lists take is known once they are learned."""

SEARCH_WITHIN = 5.0
"""Seconds for SEARCH_DEV: SWRNET states its pause of up to 4.86 s for all broadcasts (ARD waits 5 s, YASDI 4 s)."""

SEARCH_EVERY = 600.0
"""Seconds between two searches on a bus: each can cost five seconds of a run."""


class Options(NamedTuple):
    """What a bus of Sunny Boys can be told."""

    baudrate: Annotated[
        Literal[1200, 2400, 4800, 9600, 19200, 38400],
        Text("Speed of the line; inverters come with 1200."),
    ] = 1200
    framing: Annotated[
        Literal["auto", "smanet", "sunnynet"],
        Text("How telegrams are wrapped. auto: as `pv-setup learn` found each inverter to answer."),
    ] = "auto"
    sync_wait: Annotated[
        Duration,
        Text(
            "From freezing the values to the first question; some inverters cannot freeze faster than in a second."
        ),
        Range(0.03, 30),
    ] = 1.0
    readdress: Annotated[
        Literal["auto", "never"],
        Text(
            "Whether two configured inverters that share an address are set apart by giving one a free address."
        ),
    ] = "auto"
    channels: Annotated[
        Literal["known", "all"],
        Text(
            "all: channels without a name in the vocabulary are published too, as channel_<their own name>."
        ),
    ] = "known"


class Unit(NamedTuple):
    """What a Sunny Boy can be told."""

    serial: Annotated[int, Text("Its serial number, as on its label.", 2000123456), Range(1, 0xFFFFFFFE)]
    rated_power_w: Annotated[
        float | None, Text("The most it can feed; bounds how fast its energy may grow."), Range(100, 1e6)
    ] = None


def wire(bus: Bus) -> Wire:
    """8N1 at the bus's speed. A read takes 1.16 s + 0.95 s an inverter at 1200 baud, a search 5 s and one reading more."""
    options: Options = bus.options
    baud = options.baudrate
    sync = frames.wire_length(4, "smanet")
    question = frames.wire_length(3, "smanet")
    reading = on_wire(question + USUAL_ANSWER, baud) + 2 * TURNAROUND
    if options.framing == "sunnynet":
        reading *= 2
    return Wire(
        baud,
        quiet=TURNAROUND,
        takes=on_wire(sync, baud) + options.sync_wait + len(bus.inverters) * reading,
        healing=2 * 2 * within(question, baud)
        + _search_takes(baud)
        + reading,  # two lost ones, each asked twice
    )


def _search_takes(baudrate: int) -> float:
    """Seconds a SEARCH_DEV (or CFG_NETADR) may take until its answer is here."""
    return SEARCH_WITHIN + within(frames.wire_length(6, "smanet"), baudrate)


class Misplaced(StaleList):
    """A sound answer of another inverter than the one that used to be at this address."""


class Frozen(NamedTuple):
    """The moment whose values are read, and what was heard that belongs to somebody else."""

    time: int
    """Unix seconds, as sent; the answers echo it."""
    strays: dict[int, tuple[Known, Data]]
    """Serial number → where it answered, and what."""


def read(bus: Bus) -> Conversation[None]:
    """Freeze, ask every learned inverter, then put right what can be put right."""
    memory = Memory(bus.kept)
    learned: list[Inverter] = []
    for inverter in bus.inverters:
        if memory.channels_of(_serial(inverter)) is None:
            yield Report(_unlearned(bus, inverter, memory))
        else:
            learned.append(inverter)
    if not learned:
        return
    frozen = Frozen(int(bus.wall) & 0xFFFFFFFF, {})
    try:
        yield from _freeze(bus, frozen, {memory.units[_serial(inverter)].framing for inverter in learned})
    except OutOfTime:
        pass  # each turn says so of its inverter
    outcomes: dict[str, Outcome] = {}
    for inverter in learned:
        outcomes[inverter.name] = outcome = yield from turn(inverter, _measure(bus, inverter, memory, frozen))
        yield Report(outcome)
    for inverter in learned:
        if outcomes[inverter.name].state != "ok" and _serial(inverter) in frozen.strays:
            outcomes[inverter.name] = outcome = _from_stray(bus, inverter, memory, frozen)
            yield Report(outcome)
    if all(outcome.state != "timeout" for outcome in outcomes.values()):
        yield from _heal(bus, learned, memory, frozen, outcomes)
    yield from memory.keeps()


def learn(bus: Bus) -> Conversation[None]:
    """Find the inverters and download their channel lists; what a read never does, so it loads its module itself."""
    from pv_exec.drivers.sma_rs485 import learn as learning

    return learning.learn(bus)


def _serial(inverter: Inverter) -> int:
    unit: Unit = inverter.unit
    return unit.serial


def _unlearned(bus: Bus, inverter: Inverter, memory: Memory) -> Outcome:
    what = "its channel list is not there" if _serial(inverter) in memory.units else "it was never learned"
    return Outcome(inverter.name, "unlearned", error=f"{what}; run once: pv-setup learn {bus.name}")


def _freeze(bus: Bus, frozen: Frozen, framings: set[Framing]) -> Conversation[None]:
    """SYN_ONLINE in every framing in use, then the pause in which inverters copy their values. Never answered."""
    options: Options = bus.options
    packet = codec.request(SynOnline(frozen.time))
    for framing in sorted(framings):
        telegram = frames.encode(packet, framing)
        left = (yield Send(telegram)).left
        # The quiet before the next question is part of the pause.
        ends = left - on_wire(len(telegram), options.baudrate) - options.sync_wait + TURNAROUND
        while left - ends > MOMENT:
            left = (yield Listen(left - ends)).left


def _measure(bus: Bus, inverter: Inverter, memory: Memory, frozen: Frozen) -> Conversation[Outcome]:
    serial = _serial(inverter)
    known = memory.units[serial]
    try:
        data = yield from _values_at(bus, known, memory, frozen, expected=inverter.expected)
    except (
        StaleList
    ):  # damage can make a sound answer of another length (counted in the tests): a second opinion
        data = yield from _values_at(bus, known, memory, frozen)
    if known.framing == "sunnynet" and (yield from _values_at(bus, known, memory, frozen)) != data:
        # Its sum misses 3 % of two flipped bits; the values are frozen, so two answers must be the same.
        raise Corrupt("two answers of one frozen moment differ")
    said = _understood(bus, memory, known.list, data)
    if said.serial not in {None, serial}:
        assert said.serial is not None
        frozen.strays[said.serial] = (known, data)
        raise Misplaced(f"address {known.address} answered for serial number {said.serial}")
    return _outcome(inverter, known, said)


def _values_at(
    bus: Bus, known: Known, memory: Memory, frozen: Frozen, *, expected: bool = True
) -> Conversation[Data]:
    """Ask for the frozen values at an address. Raises StaleList where the answer has another length than the list."""
    options: Options = bus.options
    kept = memory.channels(known.list) or ()
    length = channels.answer_length(kept, codec.ALL_SPOTS)
    query = codec.DataOf(known.address, length, frozen.time, framing=known.framing)
    if not expected:
        query = query._replace(silent_tries=1)
    while True:
        question: Query[Data | Part] = query
        patience = within(len(query.request), options.baudrate, shortly=not expected)
        answer = yield from ask(question, within=patience, idle=idle(options.baudrate))
        if isinstance(answer, Data):
            return answer
        query = query.behind(answer)


def _understood(bus: Bus, memory: Memory, name: str, data: Data) -> Mapped:
    options: Options = bus.options
    kept = memory.channels(name) or ()
    return mapped(channels.decode(kept, codec.ALL_SPOTS, data.values), all_channels=options.channels == "all")


def _outcome(inverter: Inverter, known: Known, said: Mapped) -> Outcome:
    unit: Unit = inverter.unit
    values = said.values | {"model": known.type}
    return Outcome(inverter.name, "ok", values, dropped=said.dropped, rated_power=unit.rated_power_w)


def _from_stray(bus: Bus, inverter: Inverter, memory: Memory, frozen: Frozen) -> Outcome:
    """An inverter that answered at somebody else's remembered address: addresses were swapped over night."""
    serial = _serial(inverter)
    place, data = frozen.strays[serial]
    known = memory.units[serial]
    try:
        said = _understood(bus, memory, known.list, data)
    except StaleList as error:
        return Outcome(inverter.name, error.state, error=str(error))
    if said.serial != serial:
        return Outcome(
            inverter.name, StaleList.state, error=f"its list does not fit what address {place.address} says"
        )
    memory.units[serial] = known._replace(address=place.address, framing=place.framing)
    return _outcome(inverter, known, said)


# -- healing -----------------------------------------------------------------------------------------------------------


def _heal(
    bus: Bus, learned: list[Inverter], memory: Memory, frozen: Frozen, outcomes: dict[str, Outcome]
) -> Conversation[None]:
    """Look for one inverter that is not where it was, while its neighbours answer; at most every ten minutes."""
    options: Options = bus.options
    lost = [one for one in learned if _is_lost(one, outcomes[one.name], memory, frozen)]
    alive = any(outcome.state == "ok" for outcome in outcomes.values()) or bool(frozen.strays)
    try:
        left = (yield Listen(0)).left
        now = bus.boottime + bus.budget - left
        last = memory.last_search(bus.boot_id)
        if (
            not lost
            or not alive
            or left < _search_takes(options.baudrate)
            or (last is not None and now - last < SEARCH_EVERY)
        ):
            return
        serial = memory.longest_unsearched([_serial(one) for one in lost], bus.boot_id)
        yield memory.note_search(serial, now, bus.boot_id)
        inverter = next(one for one in lost if _serial(one) == serial)
        known = memory.units[serial]
        query = codec.DeviceOf(serial, framing=known.framing)
        device = yield from ask(query, within=_search_takes(options.baudrate), idle=idle(options.baudrate))
        outcome = yield from turn(inverter, _measure_found(bus, inverter, memory, frozen, device.address))
        yield Report(outcome)
    except (AnswerError, OutOfTime):
        return  # not there, or no time for it: the outcome of its own turn stands


def _is_lost(inverter: Inverter, outcome: Outcome, memory: Memory, frozen: Frozen) -> bool:
    """Whether it is not at its place: nothing answered there, two did, or another inverter.

    A corrupt answer is none of these: damage on the line must send nobody looking, still less give anybody an address.
    """
    if outcome.state in {"silent", "address_conflict"}:
        return True
    known = memory.units[_serial(inverter)]
    return outcome.state == "stale_list" and any(place == known for place, _ in frozen.strays.values())


def _measure_found(
    bus: Bus, inverter: Inverter, memory: Memory, frozen: Frozen, address: int
) -> Conversation[Outcome]:
    """Read an inverter where the search found it. Where two are at one address, give it a free one first."""
    serial = _serial(inverter)
    others = {other.address for number, other in memory.units.items() if number != serial}
    if address not in others:
        memory.units[serial] = memory.units[serial]._replace(address=address)
        try:
            return (yield from _measure(bus, inverter, memory, frozen))
        except AddressConflict:
            pass  # somebody whom nobody configured answers there as well
    free = yield from _set_apart(bus, serial, memory.units[serial], address, others)
    memory.units[serial] = memory.units[serial]._replace(address=free)
    return (yield from _measure(bus, inverter, memory, frozen))


def _set_apart(bus: Bus, serial: int, known: Known, address: int, others: set[int]) -> Conversation[int]:
    """CFG_NETADR to the lowest free address, for a configured serial number, which this one is. Raises AddressConflict."""
    options: Options = bus.options
    if options.readdress == "never":
        raise AddressConflict(
            f"another inverter answers at its address {address} too",
            'set readdress = "auto", or run: pv-setup learn',
        )
    free = next(_free(others | {address}))
    query = codec.ConfiguredOf(serial, free, framing=known.framing)
    yield from ask(query, within=_search_takes(options.baudrate), idle=idle(options.baudrate))
    return free


def _free(taken: set[int]) -> Iterator[int]:
    return (address for address in range(1, 256) if address not in taken)
