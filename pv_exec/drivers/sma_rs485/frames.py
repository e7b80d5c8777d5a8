"""SMAData1 packets in their two framings, and how they are found in a byte stream. Sources: SWRNET, YASDI, LUA.

SMA-Net    7E | FF 03 40 41, packet, CRC low, CRC high: stuffed | 7E
SunnyNet   68 L L 68 | packet | sum low, sum high | 16            L: data bytes alone

packet     source LE, destination LE, ctrl, counter, command, 0…255 data bytes
"""

import struct
from typing import NamedTuple

from pv_exec.drivers.sma_rs485.messages import ANSWER, COMMANDS, MOST, Framing, Packet
from pv_exec.wire import hdlc

_HEAD = b"\xff\x03\x40\x41"
_HEADER = struct.Struct("<HHBBB")
_LONGEST = 2 * (len(_HEAD) + _HEADER.size + MOST + 2) + 2
"""Of an SMA-Net frame, everything stuffed."""
IDLE = b"\xaa\x55\x00"
"""AA AA before and 55 55 behind a frame (power line; some send them on RS485 too), and a bus turn-around's NULs."""


def encode(packet: Packet, framing: Framing) -> bytes:
    """The bytes for the line.

    ValueError for more than 255 data bytes, a field that does not fit, and for a request that no reader may send.
    """
    if not packet.ctrl & ANSWER and packet.command not in COMMANDS:
        raise ValueError(f"command {packet.command:02X} is never sent")
    if len(packet.data) > MOST:
        raise ValueError(f"{len(packet.data)} data bytes in one packet")
    try:
        body = _HEADER.pack(*packet[:5]) + packet.data
    except struct.error as error:
        raise ValueError(f"no packet: {packet[:5]}") from error
    if framing == "smanet":
        return hdlc.encode(_HEAD + body)
    length = len(packet.data)
    return bytes((0x68, length, length, 0x68)) + body + _sum(body) + b"\x16"


def wire_length(data: int, framing: Framing) -> int:
    """Bytes on the line of a packet with so many data bytes, before stuffing."""
    return data + (15 if framing == "smanet" else 14)


class Broken(NamedTuple):
    """A packet that failed, as far as it can be read; nothing in it is to be believed."""

    packet: Packet
    reason: str


class Taken(NamedTuple):
    """What a stream holds."""

    packets: tuple[Packet, ...]
    broken: tuple[Broken, ...]
    lost: int
    """Bytes that belong to no packet: noise, collisions, and what is broken. Training bytes and NULs do not count."""
    rest: bytes
    """An unfinished packet, at most 538 bytes: to be handed in again in front of what comes next."""


def take(stream: bytes, framing: Framing, *, ended: bool = False) -> Taken:
    """Find the packets in what was heard; never raises. `ended`: nothing more will come."""
    if framing == "sunnynet":
        return _take_sunnynet(stream, ended=ended)
    found = hdlc.split(stream, _HEAD, ended=ended)
    packets = []
    lost = _weight(b"".join(found.broken))
    for body in found.frames:
        if packet := _packet(body[len(_HEAD) :]):
            packets.append(packet)
        else:
            lost += len(body) + 2
    broken = [
        Broken(torn, "a wrong checksum")
        for piece in found.broken
        if (torn := head(piece, framing)) is not None
    ]
    rest = found.rest
    if len(rest) > _LONGEST:
        lost += _weight(rest)
        rest = b""
    return Taken(tuple(packets), tuple(broken), lost, rest)


def head(rest: bytes, framing: Framing) -> Packet | None:
    """The header of an unfinished packet and as much data as is there; None before the header is complete."""
    if framing == "sunnynet":
        return _packet(rest[4:]) if _is_start(rest) else None
    at = rest.find(_HEAD)
    return _packet(hdlc.unstuff(rest[at + len(_HEAD) :]), partial=True) if at >= 0 else None


def _packet(body: bytes, *, partial: bool = False) -> Packet | None:
    if len(body) < _HEADER.size or (len(body) > _HEADER.size + MOST and not partial):
        return None
    source, destination, ctrl, counter, command = _HEADER.unpack_from(body)
    return Packet(source, destination, ctrl, counter, command, body[_HEADER.size :])


def _weight(noise: bytes) -> int:
    return len(noise) if noise.strip(IDLE) else 0


def _sum(body: bytes) -> bytes:
    return (sum(body) & 0xFFFF).to_bytes(2, "little")


def _is_start(stream: bytes, at: int = 0) -> bool:
    return len(stream) >= at + 4 and stream[at] == stream[at + 3] == 0x68 and stream[at + 1] == stream[at + 2]


def _may_start(stream: bytes, at: int) -> bool:
    """Whether four bytes from `at` are a start or can still become one."""
    four = stream[at : at + 4]
    return (len(four) < 3 or four[1] == four[2]) and (len(four) < 4 or four[3] == 0x68)


def _take_sunnynet(stream: bytes, *, ended: bool) -> Taken:
    packets = []
    broken = []
    noise = bytearray()
    at = 0
    rest = b""
    while at < len(stream):
        start = stream.find(b"\x68", at)
        start = len(stream) if start < 0 else start
        noise += stream[at:start]
        at = start
        if at == len(stream):
            break
        if _may_start(stream, at):
            whole = 14 + stream[at + 1] if len(stream) > at + 1 else 14
            frame = stream[at : at + whole]
            if len(frame) < whole and not ended:
                rest = bytes(frame)
                break
            packet = _packet(frame[4 : whole - 3])
            reason = _fault(frame, whole)
            if packet and not reason:
                packets.append(packet)
                at += whole
                continue
            if packet and _is_start(frame):
                broken.append(Broken(packet, reason))
        noise.append(stream[at])
        at += 1
    return Taken(tuple(packets), tuple(broken), _weight(bytes(noise)), rest)


def _fault(frame: bytes, whole: int) -> str:
    if len(frame) < whole:
        return f"{len(frame)} of its {whole} bytes"
    if frame[-1] != 0x16:
        return "no end"
    if frame[-3:-1] != _sum(frame[4:-3]):
        return "a wrong checksum"
    return ""
