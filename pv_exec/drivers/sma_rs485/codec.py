"""SMAData1 between a master and Sunny Boys, both directions, without I/O: requests, answers, and the queries.

Whoever sends calls a request function and `frames.encode`s what it gives; a reader can build nothing that writes. A
query looks for its answer in everything heard since its request: echo, noise, late answers and another master's traffic
come before it or between.
"""

import struct
from collections.abc import Callable
from typing import NamedTuple, TypeVar, cast

from pv_exec.box.errors import AddressConflict, AnswerError, Corrupt, StaleList
from pv_exec.drivers.sma_rs485 import frames
from pv_exec.drivers.sma_rs485.messages import (
    ANSWER,
    CFG_NETADR,
    GET_CINFO,
    GET_DATA,
    GET_NET,
    GET_NET_START,
    GROUP,
    MOST,
    NAMES,
    SEARCH_DEV,
    SYN_ONLINE,
    Answer,
    CfgNetadr,
    Configured,
    Data,
    Device,
    Framing,
    GetCinfo,
    GetData,
    GetNet,
    Packet,
    Part,
    Request,
    SearchDev,
    SynOnline,
)

T = TypeVar("T")

ALL_SPOTS = 0x090F
"""Mask of all spot inputs, what YASDI asks for."""
PARAMETERS = 0x040F
STAMPED = 0x1800
"""Spot (0800) and mean (1000) values carry the time at which they were frozen."""


# -- requests ----------------------------------------------------------------------------------------------------------


def request(asked: Request, *, master: int = 0) -> Packet:
    """The packet that asks this. ValueError for an address, serial, mask… that does not exist."""
    match asked:
        case GetNet(start):
            return _broadcast(master, GET_NET_START if start else GET_NET)
        case SearchDev(serial):
            return _broadcast(master, SEARCH_DEV, _pack("<I", serial))
        case CfgNetadr(serial, address):
            if not address or address == master:
                raise ValueError(f"no device may have address {address}")
            return _broadcast(master, CFG_NETADR, _pack("<IH", serial, address))
        case SynOnline(time):
            return _broadcast(master, SYN_ONLINE, _pack("<I", time))
        case GetCinfo(address, after):
            return Packet(master, address, 0, after, GET_CINFO)
        case GetData(address, mask, channel, after):
            data = b"" if mask is None or channel is None else _pack("<HB", mask, channel)
            if not data and not after:
                raise ValueError("a question for values names its mask and channel")
            return Packet(master, address, 0, after, GET_DATA, data)


def parse_request(packet: Packet) -> Request | None:
    """What a station hears; None for an answer, an unknown command, or data of a wrong length.

    Bit 10 of ctrl (Sunny Beam sets it) and the group number play no part. A simulator that wants to know what it must
    never be sent looks at `packet.command`.
    """
    if packet.ctrl & ANSWER:
        return None
    address, after, data = packet.destination, packet.counter, packet.data
    match packet.command, bool(packet.ctrl & GROUP), len(data):
        case 0x01 | 0x06, True, 0:
            return GetNet(packet.command == GET_NET_START)
        case 0x02, True, 4:
            return SearchDev(*struct.unpack("<I", data))
        case 0x03, True, 6:
            return CfgNetadr(*struct.unpack("<IH", data))
        case 0x0A, True, 4:
            return SynOnline(*struct.unpack("<I", data))
        case 0x09, False, _:
            return GetCinfo(address, after)
        case 0x0B, False, 3:
            mask, channel = struct.unpack("<HB", data)
            return GetData(address, mask, channel, after)
        case 0x0B, False, 0 if after:
            return GetData(address, None, None, after)
    return None


def _broadcast(master: int, command: int, data: bytes = b"") -> Packet:
    return Packet(master, 0, GROUP, 0, command, data)


def _pack(layout: str, *values: int) -> bytes:
    try:
        return struct.pack(layout, *values)
    except struct.error as error:
        raise ValueError(f"does not fit: {values}") from error


# -- answers -----------------------------------------------------------------------------------------------------------


def device_answer(command: int, device: Device, *, master: int = 0) -> Packet:
    """Answer to GET_NET, GET_NET_START or SEARCH_DEV (`command`). ValueError for a type of more than 8 characters."""
    name = device.type.encode("latin-1")
    if len(name) > 8:
        raise ValueError(f"type {device.type!r} has more than 8 characters")
    return Packet(
        device.address, master, ANSWER, 0, command, _pack("<I", device.serial) + name.ljust(8, b"\0")
    )


def configured_answer(answer: Configured, *, master: int = 0) -> Packet:
    """Answer to CFG_NETADR, from the new address."""
    return Packet(answer.address, master, ANSWER, 0, CFG_NETADR, _pack("<I", answer.serial))


def payload(data: Data) -> bytes:
    """The whole answer to GET_DATA, to be sent by `part_answer`."""
    stamp = b"" if data.time is None else _pack("<II", data.time, data.base or 0)
    return _pack("<HBH", data.mask, data.channel, 1) + stamp + data.values


def part_answer(
    command: int, address: int, whole: bytes, after: int = 0, *, master: int = 0, size: int = MOST
) -> Packet | None:
    """The packet of a long answer (GET_CINFO, GET_DATA) that follows the one with counter `after`; 0: the first.

    A station needs no memory for it (SWRNET, proven with YASDI): of n packets the one behind counter c is number n - c.
    The same request so gives the same packet again. None for a counter this answer does not have. ValueError for more
    than 256 packets.
    """
    count = max(1, -(-len(whole) // size))
    if count > 256:
        raise ValueError(f"{len(whole)} bytes are {count} packets")
    if after >= count:
        return None
    number = count - after if after else 0
    piece = whole[number * size : (number + 1) * size]
    return Packet(address, master, ANSWER, count - 1 - number, command, piece)


def parse_answer(packet: Packet) -> Answer:
    """What an answer says. Corrupt for a request, an unknown command, or data of a wrong length.

    A packet of GET_CINFO is always a Part; one of GET_DATA is one where others follow (the last of several cannot be
    told from a whole answer here: `DataOf` knows).
    """
    if not packet.ctrl & ANSWER:
        raise Corrupt("no answer")
    match packet.command:
        case 0x01 | 0x02 | 0x06:
            return _device(packet)
        case 0x03:
            if len(packet.data) != 4:
                raise Corrupt(f"an answer to CFG_NETADR of {len(packet.data)} bytes")
            return Configured(packet.source, *struct.unpack("<I", packet.data))
        case 0x09:
            return Part(packet.counter, packet.data)
        case 0x0B:
            return Part(packet.counter, packet.data) if packet.counter else parse_data(packet.data)
    raise Corrupt(f"an answer to command {packet.command:02X}, which nobody asks")


def _device(packet: Packet) -> Device:
    if len(packet.data) not in {12, 26}:  # 26: behind a data logger; YASDI uses the first 12 as well
        raise Corrupt(f"an answer to {NAMES[packet.command]} of {len(packet.data)} bytes")
    (serial,) = struct.unpack_from("<I", packet.data)
    name = packet.data[4:12].decode("latin-1").strip("\0 ")
    if not name.isprintable():
        raise Corrupt(f"a type that is no text: {name!r}")
    return Device(packet.source, serial, name)


def parse_data(whole: bytes) -> Data:
    """The joined answer to GET_DATA. Corrupt when it has no head, or not exactly one set of values."""
    if len(whole) < 5:
        raise Corrupt(f"an answer to GET_DATA of {len(whole)} bytes")
    mask, channel, sets = struct.unpack_from("<HBH", whole)
    if sets != 1:
        raise Corrupt(f"{sets} sets of values, one was asked for")
    if not mask & STAMPED:
        return Data(mask, channel, None, None, whole[5:])
    if len(whole) < 13:
        raise Corrupt(f"an answer to GET_DATA of {len(whole)} bytes")
    time, base = struct.unpack_from("<II", whole, 5)
    return Data(mask, channel, time, base, whole[13:])


def data_length(mask: int, values: int) -> int:
    """Bytes of an answer to GET_DATA with so many bytes of values."""
    return values + (13 if mask & STAMPED else 5)


class Round(NamedTuple):
    """What a GET_NET or GET_NET_START has brought so far."""

    devices: tuple[Device, ...]
    """Each once, in the order heard; two may claim one address."""
    lost: int
    """Bytes that belong to no packet: above some twenty, answers have collided and another round is due."""


def devices(heard: bytes, framing: Framing, *, master: int = 0) -> Round:
    """Everybody who answered to a GET_NET or GET_NET_START; never raises."""
    taken = frames.take(heard, framing, ended=True)
    found: dict[Device, None] = {}
    lost = taken.lost
    for packet in taken.packets:
        if packet.command in {GET_NET, GET_NET_START} and _is_answer(packet, master):
            try:
                found[_device(packet)] = None
            except Corrupt:
                lost += len(packet.data)
    return Round(tuple(found), lost)


# -- queries -----------------------------------------------------------------------------------------------------------


class DeviceOf(NamedTuple):
    """SEARCH_DEV: the device with this serial number, wherever it is. Its answer may take 5 s, so it is asked once."""

    serial: int
    framing: Framing = "smanet"
    master: int = 0
    silent_tries: int = 1

    @property
    def request(self) -> bytes:
        return frames.encode(request(SearchDev(self.serial), master=self.master), self.framing)

    def begun(self, heard: bytes) -> bool:
        return _begun(self._line, heard)

    def answer(self, heard: bytes, *, ended: bool) -> Device | None:
        return _find(self._line, heard, self._judge, ended=ended)

    @property
    def _line(self) -> "_Line":
        return _Line(self.framing, self.master, SEARCH_DEV, None)

    def _judge(self, packet: Packet) -> Device | None:
        device = _device(packet)
        return device if device.serial == self.serial else None


class ConfiguredOf(NamedTuple):
    """CFG_NETADR: give the device with this serial number an address. The only query that changes anything."""

    serial: int
    address: int
    framing: Framing = "smanet"
    master: int = 0
    silent_tries: int = 2

    @property
    def request(self) -> bytes:
        asked = CfgNetadr(self.serial, self.address)
        return frames.encode(request(asked, master=self.master), self.framing)

    def begun(self, heard: bytes) -> bool:
        return _begun(self._line, heard)

    def answer(self, heard: bytes, *, ended: bool) -> Configured | None:
        return _find(self._line, heard, self._judge, ended=ended)

    @property
    def _line(self) -> "_Line":
        return _Line(self.framing, self.master, CFG_NETADR, self.address)

    def _judge(self, packet: Packet) -> Configured | None:
        configured = parse_answer(packet)
        return configured if configured == Configured(self.address, self.serial) else None


class ListOf(NamedTuple):
    """One packet of GET_CINFO. The driver asks again with `after` the counter of each Part until that is 0.

    `after` 0 is the first. Parts are joined in the order they were asked for, never by computed offsets: their size is
    the sender's choice. A transfer that broke off goes on with the last counter received, in another run too.
    """

    address: int
    after: int = 0
    framing: Framing = "smanet"
    master: int = 0
    silent_tries: int = 3

    @property
    def request(self) -> bytes:
        asked = GetCinfo(self.address, self.after)
        return frames.encode(request(asked, master=self.master), self.framing)

    def begun(self, heard: bytes) -> bool:
        return _begun(self._line, heard)

    def answer(self, heard: bytes, *, ended: bool) -> Part | None:
        return _find(self._line, heard, self._judge, ended=ended)

    @property
    def _line(self) -> "_Line":
        return _Line(self.framing, self.master, GET_CINFO, self.address)

    def _judge(self, packet: Packet) -> Part | None:
        return Part(packet.counter, packet.data) if _follows(packet.counter, self.after) else None


class DataOf(NamedTuple):
    """GET_DATA: the frozen values of a device.

    length: bytes of the whole answer as the channel list has it (`channels.answer_length`); another length is
    StaleList, None takes any. time: that of our SYN_ONLINE; None takes any. An answer of more than one packet comes as
    a Part: ask `query.behind(part)` next, until it is Data.
    """

    address: int
    length: int | None
    time: int | None
    mask: int = ALL_SPOTS
    channel: int = 0
    framing: Framing = "smanet"
    master: int = 0
    silent_tries: int = 2
    after: int = 0
    so_far: bytes = b""

    @property
    def request(self) -> bytes:
        asked = GetData(self.address, None, None, self.after) if self.after else self._asked
        return frames.encode(request(asked, master=self.master), self.framing)

    def begun(self, heard: bytes) -> bool:
        return _begun(self._line, heard)

    def answer(self, heard: bytes, *, ended: bool) -> Data | Part | None:
        return cast("Data | Part | None", _find(self._line, heard, self._judge, ended=ended))

    def behind(self, part: Part) -> "DataOf":
        """The question for the packet that follows."""
        return self._replace(after=part.counter, so_far=self.so_far + part.data)

    @property
    def _asked(self) -> GetData:
        return GetData(self.address, self.mask, self.channel)

    @property
    def _line(self) -> "_Line":
        return _Line(self.framing, self.master, GET_DATA, self.address)

    def _judge(self, packet: Packet) -> Data | Part | None:
        if not _follows(packet.counter, self.after):
            return None
        whole = self.so_far + packet.data
        if whole[:3] != struct.pack("<HB", self.mask, self.channel):
            return None  # a late answer to another question
        if self.time is not None and self.mask & STAMPED and len(whole) >= 9:
            (time,) = struct.unpack_from("<I", whole, 5)
            if time != self.time:
                raise Corrupt(
                    f"values of Unix time {time}, not of the moment asked for ({self.time})",
                    "look for a second master on this bus",
                )
        if packet.counter and (self.length is None or len(whole) < self.length):
            return Part(packet.counter, packet.data)
        if packet.counter or (self.length is not None and len(whole) != self.length):
            more = "more than " if packet.counter else ""
            raise StaleList(
                f"{more}{len(whole)} bytes of values where the channel list has {self.length}",
                "learn this bus anew: pv-setup learn",
            )
        return parse_data(whole)


def _follows(counter: int, after: int) -> bool:
    """The first packet may have any counter; then each is one less. A jump to 0 ends it (some Sunny Islands, YASDI)."""
    return not after or counter in {after - 1, 0}


# -- finding the answer ------------------------------------------------------------------------------------------------


class _Line(NamedTuple):
    """Where an answer is looked for."""

    framing: Framing
    master: int
    command: int
    source: int | None


_SOUP = 32
"""Bytes that are no packet and yet no mere noise: more than the longest damaged echo of a question (26)."""

_LONGEST_HEARD = 4096
"""More without an answer in it is a bus that never falls silent; a whole packet is 538 at most."""


def _is_answer(packet: Packet, master: int) -> bool:
    """Bits 10 and 20 are a gateway's (LUA, SDIR); the rest but the answer's own is 0 in every answer seen."""
    return packet.ctrl & ~0x30 == ANSWER and packet.destination == master


def _ours(line: _Line, packet: Packet) -> bool:
    return (
        _is_answer(packet, line.master)
        and packet.command == line.command
        and line.source in {None, packet.source}
    )


def _begun(line: _Line, heard: bytes) -> bool:
    """An answer of the asked station has started, or so much that is no packet that one must have lost its start.

    Our own echo, whole packets of others and the one another station is just sending do not count.
    """
    taken = frames.take(heard, line.framing)
    if any(_ours(line, packet) for packet in taken.packets):
        return True
    if any(_ours(line, broken.packet) for broken in taken.broken):
        return True
    coming = frames.head(taken.rest, line.framing)
    if coming:
        return _ours(line, coming)
    return taken.lost + len(taken.rest.strip(frames.IDLE)) >= _SOUP


def _find(line: _Line, heard: bytes, judge: Callable[[Packet], T | None], *, ended: bool) -> T | None:
    """The answer among everything heard. What fails is only told at the end: the right one may still come.

    judge: the answer in a packet, None for one that answers another question; raises AnswerError.
    """
    taken = frames.take(heard, line.framing, ended=ended)
    answers: dict[Packet, T] = {}
    faults: list[AnswerError] = []
    for packet in taken.packets:
        if not _ours(line, packet):
            continue
        try:
            answer = judge(packet)
        except AnswerError as error:
            faults.append(error)
        else:
            if answer is not None:
                answers[packet] = answer
    stale = next((fault for fault in faults if isinstance(fault, StaleList)), None)
    if len(answers) > 1 or (answers and stale):
        source = next(iter(answers)).source
        raise AddressConflict(
            f"two answers to one question to address {source}", "give each inverter an address of its own"
        )
    if answers:
        return next(iter(answers.values()))
    if not ended:
        if len(heard) > _LONGEST_HEARD:
            raise Corrupt(f"{len(heard)} bytes without an answer in them")
        return None
    if stale or faults:
        raise stale or faults[0]
    for broken in taken.broken:
        if _ours(line, broken.packet):
            raise Corrupt(f"an answer to {NAMES[line.command]} with {broken.reason}")
    if taken.lost >= _SOUP:
        raise Corrupt(f"{taken.lost} bytes that are no packet")
    return None
