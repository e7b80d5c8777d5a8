"""Is a frame believable whose checksum is right? The one-byte sum alone lets one random corruption in 256 pass.

Tolerances are wide enough for every real frame we know and for dawn, reactive current and clouds: a false alarm costs a
reading, and the layouts already refuse what is no number. Each function returns the reason as a sentence, or None.
"""

from typing import TYPE_CHECKING

from pv_exec.drivers.kaco.types import rated_power

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pv_exec.drivers.kaco.messages import Generic, Measured, Totals

_HEAD_OF_00 = 57

_NOT_CONNECTED = (0, 1, 6, 7, 8)
"""String inverters before they close the grid relay; at dusk units toggle between 6/7 and 4 (KSER), at next to no power."""


def sum_of(data: bytes) -> int:
    """The one-byte sum of the KACO standard protocol. Sources: AN, CAP."""
    return sum(data) & 0xFF


def sum_and_length(frame: bytes) -> bool:
    """What a reader without our checks would accept of family 00/02: header, length and sum. For the bench to compare with."""
    return (
        58 <= len(frame) <= 66
        and frame[:2] == b"\n*"
        and frame[4:5] == b"0"
        and sum_of(frame[1:_HEAD_OF_00]) == frame[_HEAD_OF_00]
    )


def measured(frame: "Measured") -> str | None:
    """Families 00/02, 000xi and XP old: the first contradiction between the values, or None."""
    return next(_of_xp(frame) if frame.family == "xp" else _of_string_inverter(frame), None)


def generic(frame: "Generic") -> str | None:
    """Generic protocol. Its CRC misses next to nothing, so these are wide: they only judge what the CRC let through."""
    return next(_of_generic(frame), None)


def totals(frame: "Totals", energy_today: int | None, slack: int) -> str | None:
    """Command 3 has no checksum and may be a late answer of another inverter: hold it against E (Wh) of command 0 just read.

    slack: Wh the unit can have produced since. Equal or a few Wh more is what captures show (CAP).
    """
    if frame.hours_today > 24:
        return f"{frame.hours_today:.1f} operating hours today"
    if energy_today is not None and not 0 <= frame.energy_today - energy_today <= slack:
        return f"energy today is {frame.energy_today} Wh, command 0 has just said {energy_today} Wh"
    return None


def _of_string_inverter(f: "Measured") -> "Iterator[str]":
    yield from _dc(f.u_dc, f.i_dc, f.p_dc, f.u_dc * 0.01 + f.i_dc * 0.1 + 1.5)
    # U and I may be truncated (one last digit each), and units truncate P as well (14 real frames: 1.1 W at most).
    apparent = f.u_ac * f.i_ac
    if f.p_ac > apparent * 1.05 + f.u_ac * 0.01 + 10:
        # 560 W at 541.7 VA stands in the application note (10k2): not only rounding.
        yield f"{f.u_ac:.1f} V × {f.i_ac:.2f} A is {apparent:.0f} VA, the frame says {f.p_ac} W"
    if apparent > f.p_ac * 1.3 + (500 if f.family == "00" else 1500):
        # Reactive current of the filter: 120 var on a 6400xi at 32 W (CAP), 540 var at 5.5 kW (K485).
        yield f"{apparent:.0f} VA fed in for only {f.p_ac} W"
    if f.p_ac > f.p_dc * 1.06 + 50:
        yield f"{f.p_ac} W fed in from {f.p_dc} W of the generator"
    if f.p_dc > f.p_ac * 1.25 + 250:
        # Real units lose 6…252 W, 4…12 % at load; before feeding in P is next to nothing.
        yield f"only {f.p_ac} W fed in from {f.p_dc} W of the generator"
    if f.p_ac > 300 and f.status in _NOT_CONNECTED:
        yield f"{f.p_ac} W fed in with status {f.status}, which is before feed-in"
    if f.u_ac > 330 or (f.p_ac > 50 and f.u_ac < 150):  # 208…277 V in North America
        yield f"grid voltage {f.u_ac:.1f} V"
    yield from _common(f)


def _of_xp(f: "Measured") -> "Iterator[str]":
    # P comes in steps of 100 W (KRTU: 27 W from U·I at 40 kW); a current converter may be off by some of its range near
    # zero. UN·IN is one of three phases. The status is of another table: no judgement by it.
    rated = (rated_power(f.type) if f.type else None) or 500_000
    yield from _dc(f.u_dc, f.i_dc, f.p_dc, f.u_dc * 0.01 + f.i_dc * 0.1 + 150 + f.p_dc * 0.01 + rated * 0.002)
    apparent = f.u_ac * f.i_ac * 3**0.5
    if f.p_ac > apparent * 1.05 + rated * 0.005:
        yield f"{f.u_ac:.1f} V × {f.i_ac:.2f} A × √3 is {apparent:.0f} VA, the frame says {f.p_ac} W"
    if apparent > f.p_ac * 1.3 + rated * 0.05:
        # Filter current at rest: 1.3 % of its range on a 200kTL (KRTU).
        yield f"{apparent:.0f} VA fed in for only {f.p_ac} W"
    if f.p_ac > f.p_dc * 1.04 + rated * 0.005:
        yield f"{f.p_ac} W fed in from {f.p_dc} W of the generator"
    if f.p_dc > f.p_ac * 1.15 + rated * 0.03:
        yield f"only {f.p_ac} W fed in from {f.p_dc} W of the generator"
    if f.u_ac > 600:
        yield f"grid voltage {f.u_ac:.1f} V"
    yield from _common(f)


def _common(f: "Measured") -> "Iterator[str]":
    rated = rated_power(f.type) if f.type else None
    if rated is not None and f.p_ac > rated * 1.3 + 100:
        yield f"{f.p_ac} W fed in by a {f.type}"
    most = rated or (400_000 if f.family == "xp" else 12_000)
    if f.energy_today > most * 24:
        yield f"energy today {f.energy_today} Wh"
    if not -30 <= f.temperature <= 110:  # trips at 85 (HB)
        yield f"temperature {f.temperature} °C"


def _dc(u: float, i: float, p: float, tolerance: float) -> "Iterator[str]":
    if abs(u * i - p) > tolerance:
        yield f"{u:.1f} V × {i:.2f} A is {u * i:.0f} W, the frame says {p} W"


def _of_generic(f: "Generic") -> "Iterator[str]":
    if f.p_dc is None or f.p_ac is None:
        return
    rated = rated_power(f.type)
    per_string = [s for s in f.strings if s.p is not None]
    for s in per_string:
        # 600TL at dawn: 7 W by U·I, 16 W by the frame (KRTU).
        yield from _dc(s.u, s.i, s.p or 0, s.u * 0.01 + s.i * 0.1 + 50 + (s.p or 0) * 0.05)
    if per_string:
        total = sum(s.p or 0 for s in per_string)
        if abs(total - f.p_dc) > 20 + f.p_dc * 0.02:  # 1 W at most in real frames
            yield f"the strings make {total} W, the frame says {f.p_dc} W"
    else:
        for s in f.strings:  # 718 W by U·I, 747 W by the frame on a 50kH3P (KRTU): 0.06 % of its range
            far = 150 + (rated or 350_000) * 0.005
            yield from _dc(s.u, s.i, f.p_dc, s.u * 0.01 + s.i * 0.1 + f.p_dc * 0.06 + far)
    apparent = sum(phase.u * phase.i for phase in f.phases)
    if f.p_ac > apparent * 1.06 + 100:
        yield f"the phases carry {apparent:.0f} VA, the frame says {f.p_ac:.0f} W"
    if f.p_ac > f.p_dc * 1.1 + 200:  # 181 W from 158 W at dusk (CAP)
        yield f"{f.p_ac:.0f} W fed in from {f.p_dc} W of the generators"
    if rated is not None and f.p_ac > rated * 1.3 + 100:
        yield f"{f.p_ac:.0f} W fed in by a {f.type}"
    if any(phase.u > 700 for phase in f.phases):
        yield "grid voltage above 700 V"
    if any(s.u > 1600 for s in f.strings):
        yield "generator voltage above 1600 V"
    if f.temperature is not None and not -40 <= f.temperature <= 120:
        yield f"temperature {f.temperature:.1f} °C"
    if f.cos_phi is not None and f.cos_phi > 1:
        yield f"cos φ {f.cos_phi:.3f}"
    if f.frequency is not None and f.frequency and not 40 <= f.frequency <= 70:
        yield f"grid frequency {f.frequency:.2f} Hz"
    if f.energy_today is not None and rated is not None and f.energy_today > rated * 24:
        yield f"energy today {f.energy_today} Wh"
