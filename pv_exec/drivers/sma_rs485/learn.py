"""Learning a bus, apart from reading it: who is there, at which address, and what each one's channels are.

A WR20's list takes 52 s at 1200 baud (22 packets of 2.3 s). What was found is kept as soon as it is known, so that a
broken download goes on where it was.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pv_exec.box.errors import AddressConflict, AnswerError, Corrupt, Silent, StaleList
from pv_exec.conversation import MOMENT, Conversation, Keep, Listen, OutOfTime, Query, Report, Send, ask
from pv_exec.drivers.sma_rs485 import channels, codec, frames
from pv_exec.drivers.sma_rs485.memory import Known, Memory
from pv_exec.drivers.sma_rs485.messages import FRAMINGS, MOST, Data, Device, Framing, GetNet, Part, SynOnline
from pv_exec.drivers.sma_rs485.timing import TURNAROUND, idle, on_wire, within
from pv_exec.drivers.sma_rs485.values import mapped
from pv_exec.model import Bus, Found, Outcome, Progress

BAUDRATES = (1200, 19200, 9600, 4800, 2400, 38400)
"""Speeds in the order of their likelihood: what inverters come with, YASDI's default, then the rest."""

ROUNDS = 6
"""Rounds of detection at the most, as YASDI does: in each 9 % of two, 26 % of three, 99 % of ten answers collide."""

QUIET_ROUNDS = 2
"""Rounds without a new answer, and without the soup of collided ones, after which the rest of a known number is given up.

One is enough where nobody knows how many there are, and where the missing ones are listed: those are searched for.
"""

SILENCE = 5.0
"""Seconds after the last answer that end a round: answers come after 70 ms + up to 4.79 s (SWRNET)."""

MOST_ROUND = 12.0
"""Seconds after which a line that never falls silent ends a round all the same; the last answer is through after 5.1 s."""

SOUP = 20
"""Lost bytes that mean collided answers, and so another round."""

LIST_WITHIN = 3.5
"""Seconds from a question for a list until its answer begins: how long an inverter looks it up is not known (YASDI: 4 s)."""

GOES = 3
"""How often something that comes damaged is asked for, each time twice."""

OUT_OF_STEP = 1.7
"""Seconds before the second try, twice as many before the third: whoever asks every few seconds must not stay in our way."""


class Met(NamedTuple):
    """An inverter that answered, at the address that it has now."""

    device: Device
    framing: Framing


def lines(options: Any, *, bridged: bool) -> Iterator[Any]:
    """The settings of a line to be tried one after the other, the configured ones first. A bridge has its own."""
    yield options
    if not bridged:
        yield from (options._replace(baudrate=baud) for baud in BAUDRATES if baud != options.baudrate)


def learn(bus: Bus) -> Conversation[None]:
    """Find the inverters in either framing, settle their addresses, download the lists that are missing.

    `bus.inverters`: those wanted (none: whoever answers); `bus.expect`: how many are there, 0 if nobody knows.
    Reports Found for who is learned, an Outcome for who is there and cannot be, and Progress: of a list in packets,
    with a total of 0 as a remark.
    """
    memory = Memory(bus.kept)
    try:
        met = yield from _find(bus, memory)
        for one in met:
            old = memory.units.get(one.device.serial, Known(0, "", one.framing))
            memory.units[one.device.serial] = Known(
                one.device.address, one.device.type, one.framing, old.list
            )
        yield from memory.keeps()
        faults: dict[Met, AnswerError] = {}
        for one in met:
            yield from _learn_one(bus, one, memory, faults)
        for one, error in tuple(faults.items()):
            begun = memory.kept.get(_partial(one.device)) or memory.lists_of(one.device.type)
            if begun or not isinstance(error, Silent):  # it goes on where it was, or a neighbour's list fits
                yield from _learn_one(bus, one, memory, faults)
        for one, error in faults.items():
            yield Report(Outcome(_name(bus, one.device.serial), error.state, error=str(error)))
        if "units" in memory.kept:
            yield Keep("units", memory.kept["units"])  # also where only this boot knew
        yield from _advise(bus, met)
    except OutOfTime:
        yield _remark("the time for learning was used up; what was learned is kept")


def _learn_one(bus: Bus, one: Met, memory: Memory, faults: dict[Met, AnswerError]) -> Conversation[None]:
    device = one.device
    try:
        name = yield from _list_for(bus, one, memory)
    except AnswerError as error:
        faults[one] = error
        return
    faults.pop(one, None)
    memory.units[device.serial] = memory.units[device.serial]._replace(list=name)
    yield from memory.keeps()
    where = f"address {device.address}" + (", SunnyNet" if one.framing == "sunnynet" else "")
    yield Report(Found({"serial": device.serial}, f"{device.type} at {where}"))


def _advise(bus: Bus, met: Iterable[Met]) -> Conversation[None]:
    """What the configuration should say of the framing: a bus of SunnyNet needs more time, as each value is asked for twice."""
    used = {one.framing for one in met}
    said: str = bus.options.framing
    right = next(iter(used)) if len(used) == 1 else "auto"
    if used and said != right and (said, right) != ("auto", "smanet"):
        yield _remark(f'the inverters of {bus.name} want this in its [[bus]] table: framing = "{right}"')


def _remark(text: str) -> Report:
    return Report(Progress(0, 0, text))


def _name(bus: Bus, serial: int) -> str:
    return next((one.name for one in bus.inverters if one.unit.serial == serial), str(serial))


# -- who is there ------------------------------------------------------------------------------------------------------


def _find(bus: Bus, memory: Memory) -> Conversation[list[Met]]:
    """Rounds of GET_NET until as many answer as are there; where nobody knows, until a round brings nobody new.

    Each is given its address as soon as it is heard: it is quiet in the next rounds, so that the lost ones are heard.
    """
    configured = bus.options.framing
    framings = sorted(FRAMINGS, key=lambda framing: framing != configured)
    wanted = {one.unit.serial for one in bus.inverters}
    met: dict[int, Met] = {}
    quiet = 0
    alive = False
    for number in range(ROUNDS):
        news = collided = False
        for framing in framings:
            # SMA-Net wins, as with YASDI: who answered in it already must not be woken again by a START in SunnyNet.
            start = number == 0 and not met
            lacking = _Lacking(bus.expect, frozenset(wanted), frozenset(met))
            heard = yield from _round(bus, framing, lacking, start=start)
            collided = collided or heard.lost > SOUP
            for device in heard.devices:
                if device.serial not in met:
                    news = True
                    spoken = yield from _better(bus, device, framing, framings[0])
                    yield from _settle(bus, memory, met, device, spoken)
            question = "GET_NET_START" if start else "GET_NET"
            soup = f", {heard.lost} bytes collided or damaged" if heard.lost > SOUP else ""
            yield _remark(f"{question} in {framing}: {_count(len(met))} so far{soup}")
            if lacking.nobody(met):
                return _sorted(met)
        alive = alive or news or collided
        quiet = 0 if news or collided else quiet + 1
        if quiet >= (QUIET_ROUNDS if met and bus.expect else 1):
            break
    for serial in sorted(wanted - set(met)) if alive else ():
        yield from _search(bus, memory, met, serial, framings)
    return _sorted(met)


def _better(bus: Bus, device: Device, framing: Framing, best: Framing) -> Conversation[Framing]:
    """The first framing where a device understands both: it was only lost in that round."""
    if framing == best:
        return framing
    return best if (yield from _where(bus, device.serial, best)) else framing


def _search(
    bus: Bus, memory: Memory, met: dict[int, Met], serial: int, framings: list[Framing]
) -> Conversation[None]:
    """Ask for a listed inverter that no round brought: where many collide, it alone answers to this."""
    for framing in framings:
        device = yield from _where(bus, serial, framing)
        if device:
            yield _remark(f"SEARCH_DEV for {serial} in {framing}: at address {device.address}")
            yield from _settle(bus, memory, met, device, framing)
            return
    yield _remark(f"SEARCH_DEV for {serial}: no answer")


def _sorted(met: dict[int, Met]) -> list[Met]:
    return [one for _, one in sorted(met.items()) if one.device.address]


class _Lacking(NamedTuple):
    """When everybody is there."""

    expect: int
    wanted: frozenset[int]
    met: frozenset[int]

    def nobody(self, more: Iterable[int]) -> bool:
        """Whether all have been met with these serial numbers."""
        there = self.met | set(more)
        return len(there) >= self.expect if self.expect else bool(self.wanted) and self.wanted <= there


def _count(number: int) -> str:
    return f"{number} inverter{'' if number == 1 else 's'}"


def _round(bus: Bus, framing: Framing, lacking: _Lacking, *, start: bool) -> Conversation[codec.Round]:
    """Whoever answers to one GET_NET. It ends early when everybody is there, as far as that is known."""
    packet = frames.encode(codec.request(GetNet(start)), framing)
    begun = left = (yield Send(packet)).left
    heard = b""
    silent_from = left - on_wire(len(packet), bus.options.baudrate)
    while (patience := left - max(silent_from - SILENCE, begun - MOST_ROUND)) > MOMENT:
        data, left = yield Listen(patience)
        heard += data
        if data:
            silent_from = min(silent_from, left)
            if lacking.nobody(device.serial for device in codec.devices(heard, framing).devices):
                break
    return codec.devices(heard, framing)


def _settle(
    bus: Bus, memory: Memory, met: dict[int, Met], device: Device, framing: Framing
) -> Conversation[None]:
    """Keep a device's address unless it has none or another one has it; then the lowest free one, as YASDI does.

    CFG_NETADR is sent in any case: it also keeps the device quiet. One that takes no address gets 0 in `met`.
    """
    taken = {one.device.address for one in met.values()}
    address = device.address
    if not 0 < address < 0x10000 or address in taken:
        taken |= {known.address for serial, known in memory.units.items() if serial != device.serial}
        address = next(number for number in range(1, 0x10000) if number not in taken)
    met[device.serial] = Met(device._replace(address=0), framing)  # until it is known
    query = codec.ConfiguredOf(device.serial, address, framing=framing)
    baudrate = bus.options.baudrate
    try:
        yield from ask(query, within=SILENCE + within(len(query.request), baudrate), idle=idle(baudrate))
    except AnswerError:
        if address != device.address:
            found = yield from _where(bus, device.serial, framing)
            if not found or not found.address or found.address in taken:
                error = f"it does not take address {address}, and {device.address} is not free"
                name = _name(bus, device.serial)
                yield Report(Outcome(name, AddressConflict.state, error=error))
                return
            address = found.address
    if address != device.address:
        yield _remark(f"{device.serial} has address {address} now, not {device.address}")
    met[device.serial] = Met(device._replace(address=address), framing)


def _where(bus: Bus, serial: int, framing: Framing) -> Conversation[Device | None]:
    """SEARCH_DEV; its answer may take as long as one to GET_NET."""
    query = codec.DeviceOf(serial, framing=framing)
    baudrate = bus.options.baudrate
    try:
        return (
            yield from ask(query, within=SILENCE + within(len(query.request), baudrate), idle=idle(baudrate))
        )
    except AnswerError:
        return None


# -- channel lists -----------------------------------------------------------------------------------------------------


def _list_for(bus: Bus, one: Met, memory: Memory) -> Conversation[str]:
    """The name of the list that fits this device: one of those kept for its type, proven by an answer, else its own."""
    known = memory.units[one.device.serial]
    for name in dict.fromkeys((known.list, *memory.lists_of(one.device.type))):
        if memory.channels(name) and (yield from _surely_fits(bus, one, memory, name)):
            yield Keep(name, memory.kept[name])  # also where only this boot knew it
            return name
    keep = memory.keep_list(one.device.type, (yield from _download(bus, one, memory)))
    yield keep
    return keep.name


def _surely_fits(bus: Bus, one: Met, memory: Memory, name: str) -> Conversation[bool]:
    """As `_fits`, a few times where it cannot be told: another master on the bus freezes values of its own moments."""
    for go in range(1, GOES):
        try:
            return (yield from _fits(bus, one, memory, name))
        except Corrupt:
            yield from _wait(go * OUT_OF_STEP)
    return (yield from _fits(bus, one, memory, name))


def _wait(seconds: float) -> Conversation[None]:
    left = (yield Listen(0)).left
    ends = left - seconds
    while left - ends > MOMENT:
        left = (yield Listen(left - ends)).left


def _fits(bus: Bus, one: Met, memory: Memory, name: str) -> Conversation[bool]:
    """Whether an answer has the length this list says, and the device's serial number at its place."""
    kept = memory.channels(name) or ()
    time = yield from _freeze(bus, one.framing)
    try:
        data = yield from _values(bus, one, kept, time)
        if one.framing == "sunnynet" and (yield from _values(bus, one, kept, time)) != data:
            raise Corrupt("two answers of one frozen moment differ")  # its sum is weak, as in reading
    except StaleList:
        return False
    return mapped(channels.decode(kept, codec.ALL_SPOTS, data.values)).serial in {None, one.device.serial}


def _freeze(bus: Bus, framing: Framing) -> Conversation[int]:
    """SYN_ONLINE, and the time that inverters need for it. Returns the Unix time that was sent."""
    left = (yield Listen(0)).left
    time = int(bus.wall + bus.budget - left) & 0xFFFFFFFF
    telegram = frames.encode(codec.request(SynOnline(time)), framing)
    yield Send(telegram)
    yield from _wait(on_wire(len(telegram), bus.options.baudrate) + bus.options.sync_wait)
    return time


def _values(bus: Bus, one: Met, kept: tuple[channels.Channel, ...], time: int) -> Conversation[Data]:
    length = channels.answer_length(kept, codec.ALL_SPOTS)
    query = codec.DataOf(one.device.address, length, time, framing=one.framing)
    baudrate = bus.options.baudrate
    while True:
        question: Query[Data | Part] = query
        answer = yield from ask(question, within=within(len(query.request), baudrate), idle=idle(baudrate))
        if isinstance(answer, Data):
            return answer
        query = query.behind(answer)


class Partial(NamedTuple):
    """A list as far as it has come."""

    after: int = 0
    """Counter of the last packet: as many are still to come."""
    total: int = 0
    data: bytes = b""


def _download(bus: Bus, one: Met, memory: Memory) -> Conversation[bytes]:
    """The whole channel list; from where it broke off, else twice from the beginning. Raises AnswerError.

    What broke off is not gone on with where the inverter does not know that packet (its list is another one now), or
    where the two halves do not make one list.
    """
    device = one.device
    resumed = _load(memory.kept.get(_partial(device), b""))
    gap = ""
    for start in ((resumed,) if resumed.after else ()) + (Partial(), Partial()):
        begun = (
            f"goes on at packet {start.total - start.after + 1} of {start.total}" if start.after else "begins"
        )
        yield _remark(f"the channel list of {device.type} {device.serial} {begun}")
        try:
            data = yield from _packets(bus, one, memory, start)
        except Silent:
            if start.after and _load(memory.kept[_partial(device)]) == start:
                continue
            raise
        try:
            gap = channels.gaps(channels.parse(data))
        except Corrupt as error:
            gap = error.what
        if not gap:
            return data
    raise Corrupt(f"the channel list of {device.type} cannot be whole: {gap}")


def _packets(bus: Bus, one: Met, memory: Memory, start: Partial) -> Conversation[bytes]:
    """One packet after the other; each is kept, so that nothing is asked for again."""
    device = one.device
    name = _partial(device)
    got = start
    while True:
        part = yield from _packet(bus, one, got.after)
        got = Partial(part.counter, got.total or part.counter + 1, got.data + part.data)
        memory.kept[name] = _dump(got) if got.after else b""
        yield Keep(name, memory.kept[name], durable=False)
        seconds = got.after * _seconds(one, bus.options.baudrate)
        said = f"channel list of {device.type} {device.serial}: {len(got.data)} bytes, {seconds:.0f} s left"
        yield Report(Progress(got.total - got.after, got.total, said))
        if not got.after:
            return got.data


def _packet(bus: Bus, one: Met, after: int) -> Conversation[Part]:
    """One packet of the list. In SunnyNet two equal ones: its sum misses 3 % of two flipped bits, and a list is for ever."""
    query = codec.ListOf(one.device.address, after, framing=one.framing)
    baudrate = bus.options.baudrate
    needs = 2 if one.framing == "sunnynet" else 1
    seen: list[Part] = []
    fault = Corrupt("each time another packet of the channel list came")
    for _ in range(GOES * needs):
        try:
            patience = on_wire(len(query.request), baudrate) + LIST_WITHIN
            part = yield from ask(query, within=patience, idle=idle(baudrate))
        except Corrupt as error:
            fault = error
            continue
        seen.append(part)
        if seen.count(part) == needs:
            return part
    raise fault


def _seconds(one: Met, baudrate: int) -> float:
    """What a packet takes, question and answer; some 2 % of the bytes of a list are stuffed."""
    both = frames.wire_length(0, one.framing) + frames.wire_length(MOST, one.framing) * 1.02
    return (on_wire(1, baudrate) * both + 2 * TURNAROUND) * (2 if one.framing == "sunnynet" else 1)


def _partial(device: Device) -> str:
    return f"partial-{device.serial}"


def _dump(got: Partial) -> bytes:
    return json.dumps({"after": got.after, "total": got.total, "data": got.data.hex()}).encode()


def _load(kept: bytes) -> Partial:
    """What is kept of a list; nothing where that is damaged."""
    try:
        entry: Any = json.loads(kept)
        got = Partial(int(entry["after"]), int(entry["total"]), bytes.fromhex(entry["data"]))
    except (ValueError, TypeError, KeyError):
        return Partial()
    return got if 0 < got.after < got.total else Partial()
