"""What all layouts of a frame are made of: places, lines up to CR, the CRC, and how damage is shown.

A decoder takes the bytes from the LF of a frame on (what follows the frame may belong to others) and returns Frame, or
None while more must come; `ended` says that nothing more will. Corrupt carries the reason in words.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from pv_exec.box.errors import Corrupt
from pv_exec.drivers.kaco.messages import Answer
from pv_exec.wire.crc import crc16_x25


class Frame(NamedTuple):
    """A message and the number of bytes it took, from LF to CR."""

    answer: Answer
    length: int


Decoder = Callable[[bytes, bool], Frame | None]

# -- values at their places ---------------------------------------------------------------------------------------------

LONGEST = 96
"""Bytes of the longest frame whose values have places, that of an XP."""


def number(width: int, decimals: int = 0, *, sign: bool = False) -> set[bytes]:
    """The shapes of a right-aligned number of `width` characters, each digit as 0. Zeros in front change no value (XP)."""
    behind = "." + "0" * decimals if decimals else ""
    shapes = {("0" * n + behind).rjust(width).encode() for n in range(1, width - len(behind) + 1)}
    if sign:
        shapes |= {("-" + "0" * n).rjust(width).encode() for n in range(1, width)}
    return shapes


_AS_SHAPE = bytes.maketrans(b"0123456789", b"0000000000")

Places = tuple[set[bytes], ...]
"""The shapes that each field may have, in the order of the fields."""


def behind(data: bytes, at: int, places: Places) -> int | None:
    """Offset behind the fields when each is at its place: one space before each (the first at `at`) and behind the last."""
    shape = data[:LONGEST].translate(_AS_SHAPE)
    for shapes in places:
        ends = (at + 1 + width for width in sorted({len(one) for one in shapes}))
        end = next((e for e in ends if shape[at + 1 : e] in shapes and shape[e : e + 1] == b" "), None)
        if end is None or shape[at] != 0x20:
            return None
        at = end
    return at + 1


# -- lines -------------------------------------------------------------------------------------------------------------

_LONGEST_LINE = 320
_CRC = r"(.* )([0-9A-F]{4})"


def with_crc(text: str) -> bytes:
    """`text` from `*` to its last space, as a frame with CRC."""
    return f"\n{text}{crc16_x25(text.encode()):04X}\r".encode()


def line_of(data: bytes, ended: bool) -> bytes | None:
    """What stands between LF and the first CR, None while it may still come."""
    cr = data.find(b"\r", 0, _LONGEST_LINE)
    if cr < 0:
        if len(data) >= _LONGEST_LINE:
            raise Corrupt(f"no end after {len(data)} bytes")
        refuse_if(data, ended)
        return None
    return data[1:cr]


def text_of(line: bytes) -> str:
    """A line as text; Corrupt for a byte that is none."""
    try:
        return line.decode("ascii")
    except UnicodeDecodeError:
        raise Corrupt(f"bytes that are no text: {shown(line)}") from None


def checked_by_crc(line: bytes) -> str:
    """The text without its CRC. The four digits are upper case on every unit seen: lower case is damage."""
    match = re.fullmatch(_CRC, text_of(line))
    if not match:
        raise Corrupt(f"no CRC at the end: {shown(line)}")
    computed = crc16_x25(match[1].encode())
    if int(match[2], 16) != computed:
        raise Corrupt(f"CRC {match[2]}, computed {computed:04X}")
    return match[1]


def refuse_if(data: bytes, ended: bool) -> None:
    """Corrupt for a frame that is not whole once nothing more will come."""
    if ended:
        raise Corrupt(f"cut short after {len(data)} bytes: {shown(data)}")


def shown(data: bytes) -> str:
    """Bytes for a person, in one short line."""
    text = data.decode("latin-1").encode("unicode_escape").decode()
    return text if len(text) <= 72 else text[:69] + "..."
