"""Measured values under a one-byte sum: families 00/02, 000xi and XP with old software, both directions (AN section 5)."""

import re
from typing import Literal

from pv_exec.box.errors import Corrupt
from pv_exec.drivers.kaco import checks
from pv_exec.drivers.kaco.frame import LONGEST, Frame, Places, behind, number, refuse_if, shown
from pv_exec.drivers.kaco.messages import Measured


def _places(current: set[bytes], power: set[bytes], temperature: set[bytes], energy: set[bytes]) -> Places:
    """Of S U I P UN IN PN T E, in this order (AN section 5)."""
    volts = number(5, 1)
    return (number(3), volts, current, power, volts, current, power, temperature, energy)


_PLACES_00 = _places(number(5, 2), number(5), number(3, sign=True), number(6))
_PLACES_000XI = _places(number(5, 2), number(6), number(2, sign=True), number(6))
_PLACES_XP = _places(
    number(5, 2) | number(6, 2),
    number(6),
    number(2, sign=True) | number(3, sign=True),
    number(6) | number(7),
)
"""Both shapes of an XP: wide as AN shows it, narrow as KRTU's lines are. P of six characters tells it from a 00."""

_SUM_AT_00, _SUM_AT_000XI = 57, 58
_TYPE = rb" ([0-9A-Za-z][0-9A-Za-z ./+-]*?) *"
_TAIL_XP = rb" +([0-9A-Za-z][!-~]*) +([0-9]{1,9}) *\r"


def measured_or_xp(data: bytes, ended: bool) -> Frame | None:
    """Command 0 of families 00/02 and XP with old software."""
    if len(data) <= _SUM_AT_00:
        refuse_if(data, ended)
        return None
    if behind(data, 5, _PLACES_00) == _SUM_AT_00:
        return _summed(data, _SUM_AT_00, "00", 8, ended)
    if (at := behind(data, 5, _PLACES_XP)) and len(data) > at:
        tail = re.match(_TAIL_XP, data[at + 1 :])
        if tail:
            answer = _values(data, at, "xp")._replace(type=tail[1].decode(), energy_total=int(tail[2]))
            return Frame(_believed(answer), at + 1 + tail.end())
        if not ended and len(data) < LONGEST:
            return None
        _expect_sum(data, at)
        raise Corrupt("the end of an XP's answer, its type and total, is missing")
    if not ended and len(data) < LONGEST and b"\r" not in data[_SUM_AT_00 + 1 :]:
        return None
    _expect_sum(data, _SUM_AT_00)
    raise Corrupt(f"the fields are not at their places: {shown(data[:_SUM_AT_00])}")


def sub_inverter(data: bytes, ended: bool) -> Frame | None:
    """Commands 1, 2, 3 of a 000xi. A 33000xi-M sends some text more (KRTU): up to 24 bytes behind the sum."""
    if len(data) <= _SUM_AT_000XI:
        refuse_if(data, ended)
        return None
    if behind(data, 5, _PLACES_000XI) != _SUM_AT_000XI:
        _expect_sum(data, _SUM_AT_000XI)
        raise Corrupt(f"the fields are not at their places: {shown(data[:_SUM_AT_000XI])}")
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
