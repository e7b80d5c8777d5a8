"""HDLC frames as both SMA families use them: 7E flags, stuffing, CRC-16/X-25. Sources: YASDI, LUA, SDIR; RFC 1662.

7E | body, FCS low, FCS high: stuffed | 7E
"""

import re
from typing import NamedTuple

from pv_exec.wire.crc import crc16_x25

FLAG = b"\x7e"
_ESCAPE = b"\x7d"
_STUFFED = (
    b"\x7d",
    b"\x7e",
    b"\x11",
    b"\x12",
    b"\x13",
)  # the escape first; an ACCM of 0x000E0000 adds the last three
_PAIR = re.compile(rb"\x7d(.?)", re.DOTALL)
_CUT = re.compile(rb"(?:[^\x7d]|\x7d.)*\x7d", re.DOTALL)


def stuff(data: bytes) -> bytes:
    """7D, 7E, 11, 12 and 13 become 7D and the byte xor 20."""
    for byte in _STUFFED:
        data = data.replace(byte, bytes((0x7D, byte[0] ^ 0x20)))
    return data


def unstuff(data: bytes) -> bytes:
    """Any byte behind 7D is xored with 20, whatever it is; a 7D at the very end is dropped, its byte is still to come."""
    return _PAIR.sub(lambda pair: bytes(byte ^ 0x20 for byte in pair[1]), data) if _ESCAPE in data else data


def encode(body: bytes) -> bytes:
    """A frame with both of its flags."""
    return FLAG + stuff(body + crc16_x25(body).to_bytes(2, "little")) + FLAG


class Split(NamedTuple):
    """What a stream holds."""

    frames: tuple[bytes, ...]
    """Bodies whose check passed, without it."""
    broken: tuple[bytes, ...]
    """What else stood between flags, as it was heard: damaged frames, training bytes, noise."""
    rest: bytes
    """An unfinished piece: to be handed in again in front of what comes next."""


def split(stream: bytes, head: bytes, *, ended: bool = False) -> Split:
    """Find the frames whose body begins with `head`; never raises.

    Every flag is a boundary, so frames may share one, and a frame that lost its end is closed by the next one's start
    (YASDI takes it too). Noise may stand before a frame that lost its start: `head` is looked for. `ended`: nothing
    more will come, an unclosed frame counts if its check passes.
    """
    pieces = stream.split(FLAG)
    last = pieces.pop()
    rest = FLAG + last if pieces else last
    if ended:
        pieces.append(last)
        rest = b""
    frames = []
    broken = []
    for piece in pieces:
        body = _body(piece, head)
        if body is not None:
            frames.append(body)
        elif piece:
            broken.append(piece)
    return Split(tuple(frames), tuple(broken), rest)


def _body(piece: bytes, head: bytes) -> bytes | None:
    if _CUT.fullmatch(piece):
        return None  # 7D before a flag is a sender that gave up (RFC 1662)
    at = piece.find(head)
    while at >= 0:
        whole = unstuff(piece[at:])
        body, check = whole[:-2], whole[-2:]
        if len(body) >= len(head) and crc16_x25(body) == int.from_bytes(check, "little"):
            return body
        at = piece.find(head, at + 1)
    return None
