"""Channel lists: what a device calls its values, where they stand in an answer, and how they are scaled.

A list is the joined answer to GET_CINFO: entries without head, count or separators. It alone says how an answer to
GET_DATA is read, so nothing here knows a type, a gain or a position. Sources: SWRNET, YASDI, PERL, SDIR; WR20 is real.
"""

import math
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pv_exec.box.errors import Corrupt, StaleList

ANALOG, DIGITAL, COUNTER, STATUS = 0x0001, 0x0002, 0x0004, 0x0008
PARAMETER, SPOT, MEAN, TEST = 0x0400, 0x0800, 0x1000, 0x2000
"""Bits of ctype."""


class Analog(NamedTuple):
    """A number. Of a parameter, gain and offset are the lowest and highest value allowed, and nothing is scaled."""

    number: int
    """Within its ctype, from 1; what GET_DATA calls the channel index."""
    ctype: int
    ntype: int
    """Low three bits: the width; high byte: how many values (0 and 1: one)."""
    level: int
    """Low byte: who may read and write. Answers hold every channel, whatever its level."""
    name: str
    unit: str
    gain: float
    offset: float


class Digital(NamedTuple):
    """Two states."""

    number: int
    ctype: int
    ntype: int
    level: int
    name: str
    zero: str
    other: str


class Counter(NamedTuple):
    """A number that only rises."""

    number: int
    ctype: int
    ntype: int
    level: int
    name: str
    unit: str
    gain: float


class Status(NamedTuple):
    """A number that stands for one of the texts."""

    number: int
    ctype: int
    ntype: int
    level: int
    name: str
    texts: tuple[str, ...]


Channel = Analog | Digital | Counter | Status

_COMMON = struct.Struct("<BHHH16s")
_ANALOG = struct.Struct("<8sff")
_COUNTER = struct.Struct("<8sf")
_WIDTHS = {0: ("B", 1), 1: ("H", 2), 2: ("I", 4), 4: ("f", 4), 5: ("d", 8)}


# -- lists -------------------------------------------------------------------------------------------------------------


def parse(data: bytes) -> tuple[Channel, ...]:
    """The entries of a list, in its order. Corrupt, with the place, for what cannot be one."""
    found: list[Channel] = []
    at = 0
    while at < len(data):
        where = f"entry {len(found) + 1} of the channel list"
        if len(data) - at < _COMMON.size:
            raise Corrupt(f"the channel list ends inside its entry {len(found) + 1}")
        try:
            channel, at = _entry(data, at)
        except struct.error:
            raise Corrupt(f"the channel list ends inside its entry {len(found) + 1}") from None
        except _Odd as odd:
            raise Corrupt(f"{where} has {odd}") from None
        found.append(channel)
    if not found:
        raise Corrupt("an empty channel list")
    if len({(channel.ctype, channel.number) for channel in found}) < len(found):
        raise Corrupt("the channel list has one channel twice")
    return tuple(found)


class _Odd(Exception):
    """What no entry can have."""


def _entry(data: bytes, at: int) -> tuple[Channel, int]:
    number, ctype, ntype, level, name = _COMMON.unpack_from(data, at)
    common = (number, ctype, ntype, level, _text(name, "a name"))
    at += _COMMON.size
    if not number or not common[-1]:
        raise _Odd("no number or no name")
    if ntype & 7 not in _WIDTHS:
        raise _Odd(f"a value of unknown width (ntype {ntype:04X})")
    if ctype & ANALOG:
        unit, gain, offset = _ANALOG.unpack_from(data, at)
        _finite(gain, offset)
        return Analog(*common, _text(unit, "a unit"), gain, offset), at + _ANALOG.size
    if ctype & DIGITAL:
        zero, other = struct.unpack_from("16s16s", data, at)
        return Digital(*common, _text(zero, "a text"), _text(other, "a text")), at + 32
    if ctype & COUNTER:
        unit, gain = _COUNTER.unpack_from(data, at)
        _finite(gain)
        return Counter(*common, _text(unit, "a unit"), gain), at + _COUNTER.size
    if ctype & STATUS:
        (length,) = struct.unpack_from("<H", data, at)
        (texts,) = struct.unpack_from(f"{length}s", data, at + 2)
        parts = texts.removesuffix(b"\0").split(b"\0") if texts else []
        return Status(*common, tuple(_text(text, "a text") for text in parts)), at + 2 + length
    raise _Odd(f"no class (ctype {ctype:04X})")


def _text(field: bytes, what: str) -> str:
    """Filled up with blanks or zeros. Latin-1, as nothing says otherwise and every byte has its character there."""
    text = field.split(b"\0", 1)[0].decode("latin-1").strip(" ")
    if not text.isprintable():
        raise _Odd(f"{what} that is no text: {text!r}")
    return text


def _finite(*numbers: float) -> None:
    if not all(math.isfinite(number) for number in numbers):
        raise _Odd("a gain or an offset that is no number")


def build(channels: Iterable[Channel]) -> bytes:
    """The list as a WR20 sends it: texts filled up with blanks and closed by 00. ValueError for what does not fit."""
    out = []
    try:
        for channel in channels:
            out.append(_COMMON.pack(*channel[:4], _field(channel.name, 16)))
            match channel:
                case Analog():
                    out.append(_ANALOG.pack(_field(channel.unit, 8), channel.gain, channel.offset))
                case Digital():
                    out.append(_field(channel.zero, 16) + _field(channel.other, 16))
                case Counter():
                    out.append(_COUNTER.pack(_field(channel.unit, 8), channel.gain))
                case Status():
                    texts = b"".join(_field(text, 16) for text in channel.texts)
                    out.append(struct.pack("<H", len(texts)) + texts)
    except (struct.error, OverflowError) as error:
        raise ValueError(f"does not fit into a channel list: {error}") from error
    return b"".join(out)


def _field(text: str, width: int) -> bytes:
    field = text.encode("latin-1")
    if len(field) >= width or b"\0" in field:
        raise ValueError(f"{text!r} does not fit into {width} bytes")
    return field.ljust(width - 1) + b"\0"


def gaps(channels: Iterable[Channel]) -> str:
    """What speaks against a list being whole, empty if nothing does: numbers count from 1 in each ctype.

    Not Corrupt: no paper forbids holes. A list with holes was joined of packets that do not belong together; whoever
    downloads it does so once more before believing it.
    """
    last: dict[int, int] = {}
    for channel in channels:
        expected = last.get(channel.ctype, 0) + 1
        if channel.number != expected:
            return f"channel {channel.ctype:04X}/{channel.number} ({channel.name}) where number {expected} belongs"
        last[channel.ctype] = channel.number
    return ""


KEPT = b"\x0a"
"""The first byte of YASDI's own cache files (`devices/<type>.bin`), and of ours; 03 is Sunny Data Control's."""


def keep(data: bytes) -> bytes:
    """A list as it is kept, which is how YASDI keeps it."""
    return KEPT + data


def kept(file: bytes) -> bytes:
    """The list in a kept file of ours or of YASDI's. Corrupt for another file, or a list that is none."""
    if not file.startswith(KEPT):
        raise Corrupt(
            "not a channel list as YASDI keeps it: it does not begin with 0A",
            "take a file from YASDI's directory `devices`",
        )
    parse(file[1:])
    return file[1:]


# -- answers -----------------------------------------------------------------------------------------------------------


def select(channels: Iterable[Channel], mask: int, channel: int = 0) -> tuple[Channel, ...]:
    """The channels of which an answer to GET_DATA holds values, in its order; channel 0: all of the mask."""
    return tuple(
        c
        for c in channels
        if c.ctype & TEST == mask & TEST
        and c.ctype & mask & 0x1C00
        and c.ctype & mask & 0x000F
        and channel in {0, c.number}
    )


def depth(channel: Channel) -> int:
    """How many values a channel has."""
    return max(1, channel.ntype >> 8)


def width(channel: Channel) -> int:
    """Bytes a channel takes in an answer."""
    return depth(channel) * _WIDTHS[channel.ntype & 7][1]


def answer_length(channels: Iterable[Channel], mask: int, channel: int = 0) -> int:
    """Bytes of the whole answer to GET_DATA, its head included; 73 for the spot values (090F) of a WR20."""
    head = 13 if mask & (SPOT | MEAN) else 5
    return head + sum(width(c) for c in select(channels, mask, channel))


class Value(NamedTuple):
    """What a channel says."""

    channel: Channel
    raw: tuple[int | float, ...]
    """As sent; unsigned."""
    numbers: tuple[float | None, ...]
    """Scaled, in the channel's unit; None is absent. Of a status or digital channel: the code."""

    @property
    def number(self) -> float | None:
        """The first one, which mostly is the only one."""
        return self.numbers[0]

    @property
    def text(self) -> str | None:
        """Of a status or digital channel; None if absent or beyond the texts, where the code alone is known."""
        code = self.numbers[0]
        if code is None:
            return None
        if isinstance(self.channel, Digital):
            return self.channel.other if code else self.channel.zero
        if isinstance(self.channel, Status) and code < len(self.channel.texts):
            return self.channel.texts[int(code)]
        return None


def decode(channels: Iterable[Channel], mask: int, values: bytes, channel: int = 0) -> tuple[Value, ...]:
    """The values of an answer (`Data.values`), in its order. StaleList where their length is another."""
    selected = select(channels, mask, channel)
    if sum(width(c) for c in selected) != len(values):
        raise StaleList(
            f"{len(values)} bytes of values where the channel list has {sum(map(width, selected))}"
        )
    found = []
    at = 0
    for c in selected:
        raw = struct.unpack_from(_layout(c), values, at)
        found.append(Value(c, raw, tuple(_scaled(c, number) for number in raw)))
        at += width(c)
    return tuple(found)


def encode_raw(channel: Channel, raw: Sequence[int | float]) -> bytes:
    """What a station puts into its answer for a channel. ValueError for a number that does not fit."""
    try:
        return struct.pack(_layout(channel), *raw)
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{channel.name}: {raw} does not fit") from error


def raw_of(channel: Channel, number: float) -> int:
    """The raw number nearest to a value in the channel's unit."""
    gain, offset = _scale(channel)
    return round((number - offset) / gain)


def _layout(channel: Channel) -> str:
    return f"<{depth(channel)}{_WIDTHS[channel.ntype & 7][0]}"


def _scaled(channel: Channel, raw: float) -> float | None:
    code, size = _WIDTHS[channel.ntype & 7]
    if code in "fd":
        if not math.isfinite(raw):
            return None
        raw = float(f"{raw:.7g}") if code == "f" else raw  # 0.2 and not 0.20000000298
    elif raw == (1 << 8 * size) - 1:
        return None  # all ones: no source calls them invalid, and no quantity of an inverter reaches them
    gain, offset = _scale(channel)
    places = max(decimals(gain), decimals(offset))
    if (gain, offset) == (1.0, 0.0):
        return float(raw)
    number = raw * _exact(gain) + _exact(offset)
    return round(number, places) if math.isfinite(number) else None


def _scale(channel: Channel) -> tuple[float, float]:
    if channel.ctype & PARAMETER or isinstance(channel, Digital | Status):
        return 1.0, 0.0
    return channel.gain, channel.offset if isinstance(channel, Analog) else 0.0


def decimals(gain: float) -> int:
    """How many decimals a step of a float32 `gain` is worth: 0.01 two, 0.25 two, 1/60000 five."""
    if not gain:
        return 0
    least = max(0, math.ceil(-math.log10(abs(gain)) - 1e-6))
    for places in range(least, least + 3):
        if _is_decimal(gain, places):
            return places
    return least


def _is_decimal(gain: float, places: int) -> bool:
    return abs(round(gain, places) - gain) <= abs(gain) * 2**-24


def _exact(gain: float) -> float:
    """The decimal that a float32 stands for: 0.001 and not 0.0010000000475, which moves a total's last digit."""
    places = decimals(gain)
    return round(gain, places) if _is_decimal(gain, places) else gain
