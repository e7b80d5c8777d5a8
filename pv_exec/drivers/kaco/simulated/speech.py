"""A moment of an inverter in the words of its protocol, as messages and as bytes, right and wrong ones."""

import math
from typing import Literal

from pv_exec.drivers.kaco import codec
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
from pv_exec.drivers.kaco.simulated.kinds import Kind
from pv_exec.drivers.kaco.simulated.station import Moment


def say(kind: Kind, command: str, moment: Moment, cosphi: str | None, serial: str) -> Answer | None:
    """The answer of an inverter, None for a command it does not know."""
    address = kind.address
    if command == "0":
        if kind.family == "000xi":
            return Trio(address)
        return (
            _generic(kind, moment, cosphi or "unity")
            if kind.family == "generic"
            else _measured(kind, "0", moment)
        )
    if kind.family == "000xi":
        return _measured(kind, command, moment) if command in "123" else None
    if command == "3":
        return _totals(kind, moment)
    if command == "9":
        return TypeName(address, kind.type)
    if command == "8" and kind.family == "00":
        return Firmware(address, "K222.36DE 6817")
    if kind.family != "generic":
        return None  # an xi does not answer s (CAP); 1 and 2 are only known of a 000xi
    if command == "8":
        return Firmware(address, "ARM V6.53 D6A5 Config V6.3124 2F4F DSP V4.08 6BA0")
    return Serial(address, serial) if command == "s" else None


def _status(moment: Moment) -> int:
    """4 searching in low light, 5 in strong light, 1 waiting for the sun (section 4.3 of HB)."""
    if moment.status is not None:
        return moment.status
    return 1 if moment.load <= 0.0 else 5 if moment.load > 0.6 else 4


def _measured(kind: Kind, command: str, moment: Moment) -> Measured:
    family: Literal["00", "000xi", "xp"] = "00" if kind.family == "generic" else kind.family
    share = kind.rated
    code: str = kind.type
    energy_today = moment.today.full_hours * kind.rated
    drift = moment.drift
    if family == "000xi":
        share //= 3
        energy_today /= 3
        drift += 0.3 * int(command)  # three inverters are never quite alike
        code = f"{kind.type.removeprefix('3x')}{command}"
    power = moment.load * share / 0.965
    u_dc = round(540.0 - 110.0 * moment.load + 12.0 * drift, 1)
    i_dc = round(power / u_dc, 2)
    u_ac = round(229.5 + 2.5 * drift, 1)
    status = _status(moment)
    energy_total = None
    if family == "xp":
        # Steps as in the lines of a 100k: power in hundreds of watts, three phases (KRTU). 35: while feeding in.
        i_dc = round(i_dc, 1)
        p_dc = round(u_dc * i_dc, -2)
        p_ac = round(p_dc * 0.985, -2)
        u_ac = round(u_ac * math.sqrt(3) - 15.0, 1)
        i_ac = round(p_ac / u_ac / math.sqrt(3), 1)
        energy_today = round(energy_today, -2)
        energy_total = int(moment.energy_total / 1000)
        status = status if moment.status is not None else 35 if p_ac else 0
    else:
        # Units multiply what they display and cut it off; 30 W and 3.5 % are lost, and the filter takes 120 var
        # (14 real frames of CAP, UART, K485, AN, WIO).
        p_dc = int(u_dc * i_dc)
        p_ac = max(int(p_dc * 0.965 - 30.0), 0)
        i_ac = round(math.hypot(p_ac, 120.0) / u_ac, 2) if p_ac else 0.0
    temperature = round(18.0 + 30.0 * moment.load + 2.0 * drift)
    return Measured(
        kind.address, command, family, status, u_dc, i_dc, int(p_dc), u_ac, i_ac, int(p_ac), temperature,
        int(energy_today), code, energy_total,
    )  # fmt: skip


def _generic(kind: Kind, moment: Moment, cosphi: str) -> Generic:
    address, code, status = kind.address, kind.type, _status(moment)
    drift = moment.drift
    energy = int(moment.today.full_hours * kind.rated)
    temperature = round(30.0 + 25.0 * moment.load + drift, 1)
    power = moment.load * kind.rated / 0.98
    shares = {20: (0.52, 0.48), 23: (0.29, 0.28, 0.43), 16: (1.0,), 17: (1.0,)}.get(kind.elements)
    if shares is None:
        tokens = ("0",) * (kind.elements - 4) + (str(energy),)
        return Generic(address, kind.elements, code, status, energy_today=energy, tokens=tokens)
    strings = []
    for which, share in enumerate(shares):
        u = round(630.0 - 120.0 * moment.load + 4.0 * drift + 3.0 * which, 1)
        watts = power * share
        strings.append(String(u, round(watts / u, 2), round(watts) if len(shares) > 1 else None))
    p_dc = sum(one.p or 0 for one in strings) if len(shares) > 1 else round(power)
    p_ac = round(power * 0.98, 1 if kind.elements == 17 else None)
    factor = {"unity": 1.0, "i": 0.735, "c": 0.957, "o": 0.99}[cosphi]
    # At unity the current is still larger than the power asks for: 890 VA at 759 W (CAP).
    reactive = p_ac * math.tan(math.acos(factor)) + (0.04 * kind.rated if p_ac else 0.0)
    apparent = math.hypot(p_ac, reactive)
    phases = []
    for which in range(3):
        u = round(228.0 + 2.0 * drift + 1.1 * which, 1)
        phases.append(Phase(u, round(apparent / 3 / u, 2)))
    sign: Literal["", "i", "c", "o"] = (
        "i" if cosphi == "i" else "c" if cosphi == "c" else "o" if cosphi == "o" else ""
    )
    return Generic(
        address, kind.elements, code, status, tuple(strings), tuple(phases), p_dc, p_ac, factor, sign,
        round(50.0 + 0.02 * drift, 2) if kind.elements == 17 else None, temperature, energy,
    )  # fmt: skip


def _totals(kind: Kind, moment: Moment) -> Totals:
    total = int(moment.energy_total / kind.unit)
    if kind.totals == "bare":
        total %= 1_000_000  # six digits
    address = None if kind.totals == "bare" else kind.address
    peak = int(moment.today.peak * kind.rated * 1.02)
    hours = _minutes(moment.today.awake_hours), _minutes(moment.hours_total), _minutes(moment.hours_total)
    return Totals(address, peak, int(moment.today.full_hours * kind.rated), total, total, *hours)


def _minutes(hours: float) -> float:
    return int(hours * 60) / 60


def encode(kind: Kind, answer: Answer) -> bytes:
    """The bytes of an answer in the shapes of this kind."""
    return codec.encode_answer(
        answer, header=kind.totals != "bare", zeros=kind.zeros, hours_zeros=kind.family == "generic"
    )


def sum_at(frame: bytes, answer: Measured | TypeName) -> int:
    """Where the one-byte sum stands: before the type where there is one, else near the end."""
    if isinstance(answer, TypeName):
        return len(frame) - 2
    return len(frame) - 1 if answer.type is None else frame.rfind(b" " + answer.type.encode()) - 1


def wrong_sum(frame: bytes, answer: Answer) -> bytes:
    """One bit of the sum, or one digit of the CRC, is wrong; frames without either stay as they are."""
    if isinstance(answer, Measured | TypeName):
        at = sum_at(frame, answer)
        return frame[:at] + bytes([frame[at] ^ 0x01]) + frame[at + 1 :]
    if isinstance(answer, Generic | Serial):
        at = len(frame) - 2
        digit = b"1" if frame[at : at + 1] != b"1" else b"2"
        return frame[:at] + digit + frame[at + 1 :]
    return frame
