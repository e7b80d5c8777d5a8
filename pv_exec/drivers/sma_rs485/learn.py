"""Learning a bus, apart from reading it: who is there, at which address, and what each one's channels are.

Takes a minute an inverter type at 1200 baud (22 packets of 2.3 s for a WR20). What was found is kept as soon as it is
known, so that a broken download goes on where it was.
"""

import json
from typing import Any

from pv_exec.box.errors import AnswerError, Corrupt, StaleList
from pv_exec.conversation import Conversation, Keep, Listen, Query, Report, Send, ask
from pv_exec.drivers.sma_rs485 import channels, codec, frames
from pv_exec.drivers.sma_rs485.memory import Known, Memory
from pv_exec.drivers.sma_rs485.messages import Data, Device, Framing, GetNet, Part, SynOnline
from pv_exec.drivers.sma_rs485.timing import idle, on_wire, within
from pv_exec.drivers.sma_rs485.values import mapped
from pv_exec.model import Bus, Found, Progress

ROUNDS = 6
"""Rounds of detection at the most, as YASDI does: in each about 9 % of two, 26 % of three answers collide."""

SILENCE = 5.0
"""Seconds after the last answer that end a round: answers come after 70 ms + up to 4.79 s (SWRNET)."""

MOST_ROUND = 30.0
"""Seconds after which a line that never falls silent ends a round all the same."""

SOUP = 20
"""Lost bytes that mean collided answers, and so another round."""


def learn(bus: Bus) -> Conversation[None]:
    """Find the inverters, settle their addresses, download the lists that are missing; reports Found for each.

    `bus.inverters`: those wanted (none: whoever answers); `bus.expect`: how many are there, 0 if nobody knows.
    `bus.options.framing` is one framing here: who learns tries one after the other.
    """
    framing: Framing = bus.options.framing if bus.options.framing != "auto" else "smanet"
    memory = Memory(bus.kept)
    devices = yield from _find(bus, framing)
    yield Report(Progress(len(devices), len(devices), f"{len(devices)} inverters answer ({framing})"))
    placed: list[Device] = []
    for device in devices:
        placed.append((yield from _settle(bus, framing, device, {one.address for one in placed})))
    for device in placed:
        known = Known(
            device.address, device.type, framing, memory.units.get(device.serial, Known(0, "", framing)).list
        )
        memory.units[device.serial] = known
        yield from memory.keeps()
        try:
            name = yield from _list_for(bus, device, known, memory)
        except AnswerError as error:
            yield Report(Progress(0, 0, f"{device.serial} at address {device.address}: {error}"))
            continue
        memory.units[device.serial] = known._replace(list=name)
        yield from memory.keeps()
        yield Report(Found({"serial": device.serial}, f"{device.type} at address {device.address}"))


# -- who is there ------------------------------------------------------------------------------------------------------


def _find(bus: Bus, framing: Framing) -> Conversation[list[Device]]:
    """Rounds of GET_NET until as many answer as are there; where nobody knows, until a round brings nobody new."""
    wanted = bus.expect or len(bus.inverters)
    found: dict[int, Device] = {}
    for number in range(ROUNDS):
        heard = yield from _round(bus, framing, start=number == 0)
        new = [device for device in heard.devices if device.serial not in found]
        found |= {device.serial: device for device in new}
        yield Report(Progress(number + 1, ROUNDS, f"round {number + 1}: {len(found)} inverters"))
        collided = heard.lost > SOUP
        if (wanted and len(found) >= wanted) or (not wanted and number and not new and not collided):
            break
        if not found and not collided and number:
            break
        for device in new:  # who has an address does not answer again, so the lost ones are heard better
            yield from _configure(bus, framing, device, device.address)
    return sorted(found.values(), key=lambda device: device.serial)


def _round(bus: Bus, framing: Framing, *, start: bool) -> Conversation[codec.Round]:
    packet = frames.encode(codec.request(GetNet(start)), framing)
    begun = left = (yield Send(packet)).left
    heard = b""
    silent_from = left - on_wire(len(packet), bus.options.baudrate)
    while left > silent_from - SILENCE and left > begun - MOST_ROUND:
        data, left = yield Listen(left - silent_from + SILENCE)
        heard += data
        if data:
            silent_from = left
    return codec.devices(heard, framing)


def _configure(bus: Bus, framing: Framing, device: Device, address: int) -> Conversation[bool]:
    if not 0 < address < 0x10000:
        return False
    query = codec.ConfiguredOf(device.serial, address, framing=framing)
    baudrate = bus.options.baudrate
    try:
        yield from ask(query, within=SILENCE + within(len(query.request), baudrate), idle=idle(baudrate))
    except AnswerError:
        return False
    return True


def _settle(bus: Bus, framing: Framing, device: Device, taken: set[int]) -> Conversation[Device]:
    """Keep a device's address unless it has none or another one has it; then the lowest free one, as YASDI does."""
    address = device.address
    if not 0 < address < 0x10000 or address in taken:
        address = next(number for number in range(1, 256) if number not in taken)
    yield from _configure(bus, framing, device, address)
    return device._replace(address=address)


# -- channel lists -----------------------------------------------------------------------------------------------------


def _list_for(bus: Bus, device: Device, known: Known, memory: Memory) -> Conversation[str]:
    """The name of the list that fits this device: one of those kept for its type, proven by an answer, else its own."""
    for name in dict.fromkeys((known.list, *memory.lists_of(device.type))):
        if memory.channels(name) and (yield from _fits(bus, device, known, memory, name)):
            return name
    data = yield from _download(bus, device, known, memory)
    keep = memory.keep_list(device.type, data)
    yield keep
    return keep.name


def _fits(bus: Bus, device: Device, known: Known, memory: Memory, name: str) -> Conversation[bool]:
    """Whether an answer has the length this list says, and the device's serial number at its place."""
    kept = memory.channels(name) or ()
    baudrate = bus.options.baudrate
    time = int(bus.wall) & 0xFFFFFFFF
    telegram = frames.encode(codec.request(SynOnline(time)), known.framing)
    yield Send(telegram)
    left = ends = (yield Listen(0)).left
    ends -= on_wire(len(telegram), baudrate) + bus.options.sync_wait
    while left > ends:
        left = (yield Listen(left - ends)).left
    query = codec.DataOf(
        known.address, channels.answer_length(kept, codec.ALL_SPOTS), time, framing=known.framing
    )
    while True:
        question: Query[Data | Part] = query
        try:
            answer = yield from ask(
                question, within=within(len(query.request), baudrate), idle=idle(baudrate)
            )
        except StaleList:
            return False
        if isinstance(answer, Data):
            break
        query = query.behind(answer)
    return mapped(channels.decode(kept, codec.ALL_SPOTS, answer.values)).serial in {None, device.serial}


def _download(bus: Bus, device: Device, known: Known, memory: Memory) -> Conversation[bytes]:
    """The whole channel list, packet by packet; twice where the first cannot be whole. Raises AnswerError."""
    for again in (False, True):
        data = yield from _packets(bus, device, known, memory)
        try:
            gap = channels.gaps(channels.parse(data))
        except Corrupt as error:
            gap = error.what
        if not gap:
            return data
        if again:
            raise Corrupt(f"the channel list of {device.type} cannot be whole: {gap}")
    raise AssertionError("unreachable")


def _packets(bus: Bus, device: Device, known: Known, memory: Memory) -> Conversation[bytes]:
    baudrate = bus.options.baudrate
    partial = f"partial-{device.serial}"
    after, total, data = _resumed(memory.kept.get(partial, b""))
    while True:
        query = codec.ListOf(device.address, after, framing=known.framing)
        part = yield from ask(query, within=within(len(query.request), baudrate), idle=idle(baudrate))
        total = total or part.counter + 1
        data += part.data
        after = part.counter
        yield Report(Progress(total - after, total, f"channel list of {device.type} ({device.serial})"))
        left_over = (
            json.dumps({"after": after, "total": total, "data": data.hex()}).encode() if after else b""
        )
        memory.kept[partial] = left_over
        yield Keep(partial, left_over, durable=False)
        if not after:
            return data


def _resumed(kept: bytes) -> tuple[int, int, bytes]:
    """Counter of the last packet received, number of packets, and their bytes; from the beginning where nothing is kept."""
    try:
        entry: Any = json.loads(kept)
        after, total, data = int(entry["after"]), int(entry["total"]), bytes.fromhex(entry["data"])
    except (ValueError, TypeError, KeyError):
        return 0, 0, b""
    return (after, total, data) if 0 < after < total else (0, 0, b"")
