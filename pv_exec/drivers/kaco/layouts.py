"""One frame, both directions: bytes from its LF on into a message, and a message into bytes.

A decoder takes the bytes from the LF of a frame on (what follows the frame may belong to others) and returns Frame, or
None while more must come; `ended` says that nothing more will. Corrupt carries the reason in words.
"""

import re
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, cast

from pv_exec.box.errors import Corrupt
from pv_exec.drivers.kaco import checks
from pv_exec.drivers.kaco.messages import (
    Answer,
    Firmware,
    Generic,
    Measured,
    Phase,
    Serial,
    String,
    Totals,
    Trio,
    TypeName,
)
from pv_exec.wire.crc import crc16_x25


class Frame(NamedTuple):
    """A message and the number of bytes it took, from LF to CR."""

    answer: Answer
    length: int


Decoder = Callable[[bytes, bool], Frame | None]

# -- frames with a one-byte sum over measured values -------------------------------------------------------------------


def _number(width: int, decimals: int = 0, *, sign: bool = False) -> set[bytes]:
    """The shapes of a right-aligned number of `width` characters, each digit as 0. Zeros in front change no value (XP)."""
    behind = "." + "0" * decimals if decimals else ""
    shapes = {("0" * n + behind).rjust(width).encode() for n in range(1, width - len(behind) + 1)}
    if sign:
        shapes |= {("-" + "0" * n).rjust(width).encode() for n in range(1, width)}
    return shapes


_AS_SHAPE = bytes.maketrans(b"0123456789", b"0000000000")

Places = tuple[set[bytes], ...]
"""The shapes that each of S U I P UN IN PN T E may have, in this order (AN section 5)."""


def _places(current: set[bytes], power: set[bytes], temperature: set[bytes], energy: set[bytes]) -> Places:
    volts = _number(5, 1)
    return (_number(3), volts, current, power, volts, current, power, temperature, energy)


_PLACES_00 = _places(_number(5, 2), _number(5), _number(3, sign=True), _number(6))
_PLACES_000XI = _places(_number(5, 2), _number(6), _number(2, sign=True), _number(6))
_PLACES_XP = _places(
    _number(5, 2) | _number(6, 2),
    _number(6),
    _number(2, sign=True) | _number(3, sign=True),
    _number(6) | _number(7),
)
"""Both shapes of an XP: wide as AN shows it, narrow as KRTU's lines are. P of six characters tells it from a 00."""

_SUM_AT_00, _SUM_AT_000XI = 57, 58
_TYPE = rb" ([0-9A-Za-z][0-9A-Za-z ./+-]*?) *"
_TAIL_XP = rb" +([0-9A-Za-z][!-~]*) +([0-9]{1,9}) *\r"
_LONGEST_XP = 96


def _behind(data: bytes, at: int, places: Places) -> int | None:
    """Offset behind the fields when each is at its place: one space before each (the first at `at`) and behind the last."""
    shape = data[:_LONGEST_XP].translate(_AS_SHAPE)
    for shapes in places:
        ends = (at + 1 + width for width in sorted({len(one) for one in shapes}))
        end = next((e for e in ends if shape[at + 1 : e] in shapes and shape[e : e + 1] == b" "), None)
        if end is None or shape[at] != 0x20:
            return None
        at = end
    return at + 1


def measured_or_xp(data: bytes, ended: bool) -> Frame | None:
    """Command 0 of families 00/02 and XP with old software."""
    if len(data) <= _SUM_AT_00:
        _refuse_if(data, ended)
        return None
    if _behind(data, 5, _PLACES_00) == _SUM_AT_00:
        return _summed(data, _SUM_AT_00, "00", 8, ended)
    if (at := _behind(data, 5, _PLACES_XP)) and len(data) > at:
        tail = re.match(_TAIL_XP, data[at + 1 :])
        if tail:
            answer = _values(data, at, "xp")._replace(type=tail[1].decode(), energy_total=int(tail[2]))
            return Frame(_believed(answer), at + 1 + tail.end())
        if not ended and len(data) < _LONGEST_XP:
            return None
        _expect_sum(data, at)
        raise Corrupt("the end of an XP's answer, its type and total, is missing")
    if not ended and len(data) < _LONGEST_XP and b"\r" not in data[_SUM_AT_00 + 1 :]:
        return None
    _expect_sum(data, _SUM_AT_00)
    raise Corrupt(f"the fields are not at their places: {_shown(data[:_SUM_AT_00])}")


def sub_inverter(data: bytes, ended: bool) -> Frame | None:
    """Commands 1, 2, 3 of a 000xi. A 33000xi-M sends some text more (KRTU): up to 24 bytes behind the sum."""
    if len(data) <= _SUM_AT_000XI:
        _refuse_if(data, ended)
        return None
    if _behind(data, 5, _PLACES_000XI) != _SUM_AT_000XI:
        _expect_sum(data, _SUM_AT_000XI)
        raise Corrupt(f"the fields are not at their places: {_shown(data[:_SUM_AT_000XI])}")
    return _summed(data, _SUM_AT_000XI, "000xi", 24, ended)


def _summed(
    data: bytes, at: int, family: Literal["00", "000xi"], longest_tail: int, ended: bool
) -> Frame | None:
    """A frame whose values are at their places before the sum at `at`; then a type up to CR, or none.

    The sum does not cover the type: it is taken only with its CR behind it, and no value hangs on it.
    """
    _expect_sum(data, at)
    tail = data[at + 1 : at + 1 + longest_tail]
    cr, lf = tail.find(b"\r"), tail.find(b"\n")
    name = None
    if cr >= 0 and not 0 <= lf < cr:
        length = at + 1 + cr + 1
        name = re.fullmatch(_TYPE, tail[:cr])
    elif lf >= 0:
        length = at + 1 + lf  # the next frame begins where a type would be
    elif len(tail) == longest_tail or ended:
        length = at + 1 + len(tail)
    else:
        return None
    word = name[1].decode() if name else None
    if word and family == "000xi":
        word = word.split()[0]
    return Frame(_believed(_values(data, at, family)._replace(type=word)), length)


def _values(data: bytes, at: int, family: Literal["00", "000xi", "xp"]) -> Measured:
    _expect_sum(data, at)
    status, u_dc, i_dc, p_dc, u_ac, i_ac, p_ac, temperature, energy = data[5:at].decode().split()
    return Measured(
        address=int(data[2:4]),
        command=chr(data[4]),
        family=family,
        status=int(status),
        u_dc=float(u_dc),
        i_dc=float(i_dc),
        p_dc=int(p_dc),
        u_ac=float(u_ac),
        i_ac=float(i_ac),
        p_ac=int(p_ac),
        temperature=int(temperature),
        energy_today=int(energy),
    )


def _expect_sum(data: bytes, at: int) -> None:
    computed = checks.sum_of(data[1:at])
    if computed != data[at]:
        raise Corrupt(f"checksum {data[at]:02X}, computed {computed:02X}")


def _believed(answer: Measured) -> Measured:
    if reason := checks.measured(answer):
        raise Corrupt(reason)
    return answer


def encode_measured(m: Measured, *, padded: bool, zeros: bool) -> bytes:
    """`zeros`: the wide shape of an XP (AN), else the narrow. Without a type a frame ends with its sum. ValueError: does not fit."""
    head, tail = f"*{m.address:02d}{m.command} ", ""
    if m.family == "00":
        head += (
            f"{m.status:3d} {m.u_dc:5.1f} {m.i_dc:5.2f} {m.p_dc:5d} {m.u_ac:5.1f} {m.i_ac:5.2f} {m.p_ac:5d} "
            f"{m.temperature:3d} {m.energy_today:6d} "
        )
        length = 56
        tail = "" if m.type is None else f" {m.type:6}\r" if padded else f" {m.type}\r"
    elif m.family == "000xi" or not zeros:
        power = "6d" if m.family == "000xi" else "06d"
        head += (
            f"{m.status:3d} {m.u_dc:5.1f} {m.i_dc:5.2f} {m.p_dc:{power}} {m.u_ac:5.1f} {m.i_ac:5.2f} "
            f"{m.p_ac:{power}} {m.temperature:2d} {m.energy_today:6d} "
        )
        length = 57
        if m.family == "xp":
            tail = f" {m.type or '':4} {m.energy_total or 0:6d}\r"
        else:
            tail = "" if m.type is None else f" {m.type}\r"
    else:
        head += (
            f"{m.status:03d} {m.u_dc:05.1f} {m.i_dc:06.2f} {m.p_dc:06d} {m.u_ac:05.1f} {m.i_ac:06.2f} "
            f"{m.p_ac:06d} {m.temperature:02d} {m.energy_today:07d} "
        )
        length = 60
        tail = f" {m.type or '':6} {m.energy_total or 0:09d}\r"
    if len(head) != length:
        raise ValueError(f"a value does not fit its field: {head!r}")
    summed = head.encode()
    return b"\n" + summed + bytes((checks.sum_of(summed),)) + tail.encode()


# -- command 4 ---------------------------------------------------------------------------------------------------------


def trio(data: bytes, ended: bool) -> Frame | None:
    """`*AA4` and CR: a 000xi. Without a checksum, so nothing may stand between."""
    if len(data) < 6:
        _refuse_if(data, ended)
        return None
    if data[5] != 0x0D:
        raise Corrupt(f"neither an answer of a 000xi nor anything else: {_shown(data)}")
    return Frame(Trio(int(data[2:4])), 6)


# -- generic protocol --------------------------------------------------------------------------------------------------

_LONGEST_LINE = 320
_FORMATS = {
    "U": r"-?(?:0|[1-9][0-9]{0,3})\.[0-9]",
    "I": r"-?(?:0|[1-9][0-9]{0,3})\.[0-9]{2}",
    "P": r"-?(?:0|[1-9][0-9]{0,6})",
    "A": r"-?(?:0|[1-9][0-9]{0,6})\.[0-9]",
    "C": r"[01]\.[0-9]{3}[ico]?",
    "F": r"(?:0|[1-9][0-9])\.[0-9]{1,3}",
    "T": r"-?(?:0|[1-9][0-9]{0,2})\.[0-9]",
    "E": r"0|[1-9][0-9]{0,7}",
}
"""U V, I A, P and A (PAC with a decimal) W, C cos φ with or without suffix, F Hz, T °C, E Wh."""


class Layout(NamedTuple):
    strings: int
    with_power: bool
    fields: str


def _layout(strings: int, *, with_power: bool, ac: str) -> Layout:
    return Layout(strings, with_power, ("UIP" if with_power else "UI") * strings + "UI" * 3 + ac)


LAYOUTS = {
    16: _layout(1, with_power=False, ac="PPCTE"),
    17: _layout(1, with_power=False, ac="PAFCTE"),
    20: _layout(2, with_power=True, ac="PPCTE"),
    23: _layout(3, with_power=True, ac="PPCTE"),
}
"""Payload by NOE, never by type code: type tables in the wild are wrong (AN, KRTU, CAP; 17: WIO alone)."""

_WITHOUT_ENERGY = (11,)
"""Powador-protect: eight values nobody has explained, of which only the status was ever used (JAVA)."""

_GENERIC_START = r"\*[0-9]{2}n ([0-9]{1,2}) ([0-9A-Za-z]{1,12}) ([0-9]{1,3})((?: .*)?)"


def generic(data: bytes, ended: bool) -> Frame | None:
    """NOE, TYP, STA, then the layout that NOE tells; CRC over everything from `*` to the space before it."""
    if (line := _line(data, ended)) is None:
        return None
    text = _checked_by_crc(line)
    start = re.fullmatch(_GENERIC_START, text)
    if not start:
        raise Corrupt(f"the fields are not at their places: {text}")
    elements, tokens = int(start[1]), start[4].split()
    if elements != 3 + len(tokens):
        raise Corrupt(f"{elements} elements announced, {3 + len(tokens)} came")
    address, kind, status = int(line[1:3]), start[2], int(start[3])
    layout = LAYOUTS.get(elements)
    if layout is None:
        last = tokens[-1] if tokens and elements not in _WITHOUT_ENERGY else ""
        energy = int(last) if re.fullmatch(_FORMATS["E"], last) else None
        answer = Generic(address, elements, kind, status, energy_today=energy, tokens=tuple(tokens))
        return Frame(answer, len(line) + 2)
    answer = _by_layout(layout, Generic(address, elements, kind, status), tokens)
    _expect_columns(layout, start[4])
    if reason := checks.generic(answer):
        raise Corrupt(reason)
    return Frame(answer, len(line) + 2)


def _by_layout(layout: Layout, start: Generic, tokens: Sequence[str]) -> Generic:
    for field, token in zip(layout.fields, tokens, strict=True):
        if not re.fullmatch(_FORMATS[field], token):
            raise Corrupt(f"{token!r} where {_FIELD_NAMES[field]} belongs")
    each = 3 if layout.with_power else 2
    dc, rest = tokens[: each * layout.strings], tokens[each * layout.strings :]
    values = dict(zip(layout.fields[len(dc) + 6 :], rest[6:], strict=True))
    # "P" is there twice (PDC, PAC) except with 17 elements; the dictionary keeps the last.
    cos_phi = values["C"]
    sign = cos_phi[5:]
    return start._replace(
        strings=tuple(
            String(float(dc[n]), float(dc[n + 1]), int(dc[n + 2]) if layout.with_power else None)
            for n in range(0, len(dc), each)
        ),
        phases=tuple(Phase(float(rest[n]), float(rest[n + 1])) for n in (0, 2, 4)),
        p_dc=int(rest[6]),
        p_ac=float(values["A"]) if "A" in values else int(values["P"]),
        cos_phi=float(cos_phi[:5]),
        cos_phi_sign=cast("Literal['', 'i', 'c', 'o']", sign),
        frequency=float(values["F"]) if "F" in values else None,
        temperature=float(values["T"]),
        energy_today=int(values["E"]),
    )


_FIELD = r" ( *)(\S+)"


def _expect_columns(layout: Layout, payload: str) -> None:
    """Voltages are as wide as each other, and so are currents: padded to one width, or longer and not padded.

    U is 6 wide and I is 5 on every unit seen (22 frames), but no source says so for an XP: only likeness is asked for.
    """
    fields = re.findall(_FIELD, payload)
    for kind in "UI":
        padded = [
            (len(pad) + len(text), len(pad))
            for field, (pad, text) in zip(layout.fields, fields, strict=True)
            if field == kind
        ]
        width = min(padded)[0]
        if any(long > width and pad for long, pad in padded):
            raise Corrupt(f"the fields are not at their places:{payload}")


_FIELD_NAMES = {
    "U": "a voltage",
    "I": "a current",
    "P": "a power",
    "A": "a power",
    "C": "cos φ",
    "F": "a frequency",
    "T": "the temperature",
    "E": "the energy of today",
}


def encode_generic(g: Generic) -> bytes:
    """By layout where the elements have one, else from the tokens as they are."""
    layout = LAYOUTS.get(g.elements)
    if layout is None:
        payload = list(g.tokens)
    else:
        payload = []
        for s in g.strings:
            payload += [f"{s.u:6.1f}", f"{s.i:5.2f}"] + ([f"{s.p:5d}"] if layout.with_power else [])
        for phase in g.phases:
            payload += [f"{phase.u:6.1f}", f"{phase.i:5.2f}"]
        payload.append(f"{g.p_dc:5d}")
        payload += [f"{g.p_ac:7.1f}", f"{g.frequency:5.2f}"] if "F" in layout.fields else [f"{g.p_ac:5d}"]
        payload += [f"{g.cos_phi:.3f}{g.cos_phi_sign}", f"{g.temperature:5.1f}", f"{g.energy_today:6d}"]
    if g.elements != 3 + sum(len(item.split()) for item in payload):
        raise ValueError(f"{len(payload)} values in an answer of {g.elements} elements")
    return with_crc(" ".join([f"*{g.address:02d}n", str(g.elements), g.type, str(g.status), *payload, ""]))


# -- command 3 ---------------------------------------------------------------------------------------------------------

_HOURS = r"([0-9]{1,6}):([0-5][0-9])"
_TOTALS = (
    r"\*([0-9]{2})3 +([0-9]{1,7}) +([0-9]{1,8}) +([0-9]{1,10}) +([0-9]{1,10}) +"
    + " +".join([_HOURS] * 3)
    + " *"
)
_TOTALS_LENGTH = 59
_PLACES_TOTALS = (_number(5), *[_number(6)] * 3, *[{hours + b":00" for hours in _number(6)}] * 3)


def totals_headed(data: bytes, ended: bool) -> Frame | None:
    """Seven values behind `*AA3`; widths grow with the counters. Sources: PVM, K485, CAP, JAVA, KRTU."""
    if (line := _line(data, ended)) is None:
        return None
    match = re.fullmatch(_TOTALS, _text(line))
    if not match:
        raise Corrupt(f"not the seven values of command 3: {_shown(line)}")
    return Frame(_totals(int(match[1]), match.groups()[1:5], match.groups()[5:]), len(line) + 2)


def totals_bare(data: bytes, ended: bool) -> Frame | None:
    """The shape of the xi: no header, exactly 59 bytes. Sources: CAP, K485."""
    if len(data) < _TOTALS_LENGTH:
        _refuse_if(data, ended)
        return None
    text = data[: _TOTALS_LENGTH - 1] + b" "
    words = text[1:].decode("latin-1").split()
    hours = [part for word in words[4:] for part in word.split(":")]
    if (
        _behind(text, 1, _PLACES_TOTALS) != _TOTALS_LENGTH
        or data[_TOTALS_LENGTH - 1] != 0x0D
        or any(int(minutes) > 59 for minutes in hours[1::2])
    ):
        raise Corrupt(f"not the seven values of command 3: {_shown(data[:_TOTALS_LENGTH])}")
    return Frame(_totals(None, words[:4], hours), _TOTALS_LENGTH)


def _totals(address: int | None, counters: Sequence[str], hours: Sequence[str]) -> Totals:
    peak, today, clearable, total = (int(word) for word in counters)
    h, m = hours[::2], hours[1::2]
    each = [(int(h[n]) * 60 + int(m[n])) / 60 for n in range(3)]
    return Totals(address, peak, today, clearable, total, *each)


def encode_totals(t: Totals, *, header: bool, zeros: bool) -> bytes:
    """Without a header, or an address to put there: the 59 bytes of an xi. `zeros`: hours as TL3 and blueplanet print them, `000012:38`."""
    hours = []
    for value in (t.hours_today, t.hours_clearable, t.hours_total):
        whole, minutes = divmod(round(value * 60), 60)
        hours.append(f"{whole:06d}:{minutes:02d}" if zeros else f"{whole:6d}:{minutes:02d}")
    header = header and t.address is not None
    counters = (f"{t.peak_today:5d}", f"{t.energy_today:6d}", f"{t.clearable:6d}", f"{t.total:6d}")
    frame = f"\n{f'*{t.address:02d}3' if header else ''} {' '.join((*counters, *hours))}\r".encode()
    if not header and len(frame) != _TOTALS_LENGTH:
        raise ValueError("a counter does not fit the shape without a header")
    return frame


# -- commands 8, 9, s --------------------------------------------------------------------------------------------------

_NAME = rb"\n\*[0-9]{2}9 ([0-9A-Za-z][0-9A-Za-z./+-]{1,11}) {1,5}"
_LONGEST_NAME = 24
_FIRMWARE = r"\*[0-9]{2}8 ([!-~][ -~]{2,})"
_SERIAL = r"\*[0-9]{2}s ([!-~]{1,32}) "


def type_name(data: bytes, ended: bool) -> Frame | None:
    """A type of any length, spaces, the one-byte sum from `*` to the last of them, CR; on every family. Sources: AN, CAP, UART."""
    wrong = None
    match = re.match(_NAME, data)
    for at in range(match.end(1) + 1, match.end() + 1) if match else ():
        if data[at + 1 : at + 2] == b"\r":
            if checks.sum_of(data[1:at]) == data[at]:
                return Frame(TypeName(int(data[2:4]), match[1].decode()), at + 2) if match else None
            wrong = f"checksum {data[at]:02X}, computed {checks.sum_of(data[1:at]):02X}"
    if not ended and len(data) < _LONGEST_NAME:
        return None
    raise Corrupt(wrong or f"not the answer of command 9: {_shown(data[:_LONGEST_NAME])}")


def firmware(data: bytes, ended: bool) -> Frame | None:
    """Text up to CR. Nothing checks it: the hex words in it are the firmware's own checksums (CAP)."""
    if (line := _line(data, ended)) is None:
        return None
    match = re.fullmatch(_FIRMWARE, _text(line))
    if not match:
        raise Corrupt(f"not the answer of command 8: {_shown(line)}")
    return Frame(Firmware(int(line[1:3]), match[1].rstrip()), len(line) + 2)


def serial(data: bytes, ended: bool) -> Frame | None:
    """One word and the CRC of the generic protocol (CAP)."""
    if (line := _line(data, ended)) is None:
        return None
    match = re.fullmatch(_SERIAL, _checked_by_crc(line))
    if not match:
        raise Corrupt(f"not the answer of command s: {_shown(line)}")
    return Frame(Serial(int(line[1:3]), match[1]), len(line) + 2)


def encode_type_name(t: TypeName, *, padded: bool) -> bytes:
    """`padded`: the type filled up with spaces to six characters."""
    summed = f"*{t.address:02d}9 {t.type:{6 if padded else 1}} ".encode()
    return b"\n" + summed + bytes((checks.sum_of(summed),)) + b"\r"


def encode_firmware(f: Firmware) -> bytes:
    """The text as it is."""
    return f"\n*{f.address:02d}8 {f.text}\r".encode()


def encode_serial(s: Serial) -> bytes:
    """The serial number with its CRC."""
    return with_crc(f"*{s.address:02d}s {s.serial} ")


# -- lines -------------------------------------------------------------------------------------------------------------

_CRC = r"(.* )([0-9A-F]{4})"


def with_crc(text: str) -> bytes:
    """`text` from `*` to its last space, as a frame with CRC."""
    return f"\n{text}{crc16_x25(text.encode()):04X}\r".encode()


def _line(data: bytes, ended: bool) -> bytes | None:
    """What stands between LF and the first CR, None while it may still come."""
    cr = data.find(b"\r", 0, _LONGEST_LINE)
    if cr < 0:
        if len(data) >= _LONGEST_LINE:
            raise Corrupt(f"no end after {len(data)} bytes")
        _refuse_if(data, ended)
        return None
    return data[1:cr]


def _text(line: bytes) -> str:
    try:
        return line.decode("ascii")
    except UnicodeDecodeError:
        raise Corrupt(f"bytes that are no text: {_shown(line)}") from None


def _checked_by_crc(line: bytes) -> str:
    """The text without its CRC. The four digits are upper case on every unit seen: lower case is damage."""
    match = re.fullmatch(_CRC, _text(line))
    if not match:
        raise Corrupt(f"no CRC at the end: {_shown(line)}")
    computed = crc16_x25(match[1].encode())
    if int(match[2], 16) != computed:
        raise Corrupt(f"CRC {match[2]}, computed {computed:04X}")
    return match[1]


def _refuse_if(data: bytes, ended: bool) -> None:
    if ended:
        raise Corrupt(f"cut short after {len(data)} bytes: {_shown(data)}")


def _shown(data: bytes) -> str:
    text = data.decode("latin-1").encode("unicode_escape").decode()
    return text if len(text) <= 72 else text[:69] + "..."
