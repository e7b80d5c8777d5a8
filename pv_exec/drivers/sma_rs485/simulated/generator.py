"""What a simulated inverter measures, and how its channel list says it.

By name and unit, from tables of this file's own: never by those of the driver, so that a mistake there cannot cancel out.
"""

import math
import random
from collections.abc import Callable, Mapping
from typing import NamedTuple

from pv_exec.box.daylight import Daylight, SoFar
from pv_exec.drivers.sma_rs485 import channels
from pv_exec.drivers.sma_rs485.channels import PARAMETER, TEST, Analog, Channel, Counter, Status


class Moment(NamedTuple):
    """What is true at one time: V, A, W, Hz, °C, Ohm, Wh, h."""

    load: float
    """Share of the rated power, 0…1."""
    u_ac: float
    i_ac: float
    p_ac: float
    f_ac: float
    u_dc: float
    i_dc: float
    temperature: float
    energy: float
    hours_feeding: float
    hours_on: float
    starts: int

    @property
    def p_dc(self) -> float:
        return self.u_dc * self.i_dc


class Generator:
    """One inverter's roof, and its counters since it was installed. `rated` in W; the plant follows from the seed."""

    def __init__(self, rated: int, *, seed: int, elevation: Callable[[float], float]) -> None:
        dice = random.Random(seed)  # noqa: S311 -- another plant, no secrets
        self.daylight = Daylight(elevation, seed)
        self.rated = rated
        years = 3 + 9 * dice.random()
        self.energy_before = years * 1000.0 * rated
        self.hours_before = years * 4200.0
        self.starts_before = int(years * 400)
        self.turn = dice.random() * math.tau
        self.u_dc = 285.0 if rated < 6000 else 620.0
        self.first_day: float | None = None

    def awake(self, t: float) -> bool:
        return self.daylight.awake(t)

    def moment(self, t: float) -> Moment:
        """How things are at unix time t. What is shown as whole volts is whole volts, so that products agree."""
        if self.first_day is None:
            self.first_day = t
        days = self.daylight.days_between(self.first_day, t)
        spans: list[SoFar] = [self.daylight.whole_day(t, ago) for ago in range(1, days + 1)]
        spans.append(self.daylight.today(t))
        load = self.daylight.load(t)
        drift = math.sin(t / 800.0 + self.turn)
        u_ac = float(round(230.0 + 3.0 * drift))
        p_ac = float(round(load * self.rated))
        u_dc = float(round(self.u_dc * (1.0 - 0.14 * load) + 4.0 * drift))
        # 646 W in for 594 W out in the recorded session: some watts for itself, then 94 %.
        i_dc = round((p_ac / 0.94 + 12.0) / u_dc, 3) if p_ac else 0.0
        return Moment(
            load=load,
            u_ac=u_ac,
            i_ac=round(p_ac / u_ac, 3),
            p_ac=p_ac,
            f_ac=round(50.0 + 0.02 * drift, 2),
            u_dc=u_dc,
            i_dc=i_dc,
            temperature=round(22.0 + 30.0 * load + 2.0 * drift, 1),
            energy=self.energy_before + self.rated * sum(span.full_hours for span in spans),
            hours_feeding=self.hours_before + sum(span.awake_hours for span in spans),
            hours_on=1.02 * self.hours_before + sum(span.awake_hours for span in spans),
            starts=self.starts_before + days,
        )


MILLI = {"mA": 1e3, "mV": 1e3, "mOhm": 1e3, "kOhm": 1e-3, "MOhm": 1e-6, "kW": 1e-3}
"""Units with a prefix → how many of them one of the plain unit is."""

THREE = {"a": 0, "b": 1, "c": 2}

_SAYS: Mapping[str, Callable[[Moment], float]] = {
    "upv-ist": lambda m: m.u_dc,
    "vpv": lambda m: m.u_dc,
    "upv-soll": lambda m: m.u_dc - 1.0,
    "ipv": lambda m: m.i_dc,
    "ppv": lambda m: m.p_dc,
    "iac-ist": lambda m: m.i_ac,
    "iac": lambda m: m.i_ac,
    "iac-soll": lambda m: 100.0 * m.load,
    "uac": lambda m: m.u_ac,
    "vac": lambda m: m.u_ac,
    "uac-srr": lambda m: m.u_ac,
    "fac": lambda m: m.f_ac,
    "fac-srr": lambda m: m.f_ac,
    "pac": lambda m: m.p_ac,
    "gridms.totw": lambda m: m.p_ac,
    "gridms.totva": lambda m: m.p_ac,
    "gridms.totpf": lambda _: 1.0,
    "gridms.hz": lambda m: m.f_ac,
    "zac": lambda _: 0.172,
    "zac-srr": lambda _: 0.175,
    "dzac": lambda _: -0.012,
    "izac": lambda _: 4.765,
    "rerd-start": lambda _: 3e6,
    "riso": lambda _: 3e6,
    "tkk": lambda m: m.temperature,
    "temperature": lambda m: m.temperature,
    "tkk max": lambda _: 74.5,
    "upv max": lambda _: 412.0,
    "uzwk": lambda _: 400.0,
    "di": lambda _: 0.004,
    "di-srr": lambda _: 0.005,
    "e-total": lambda m: m.energy / 1e3,
    "gm.totwhout": lambda m: m.energy / 1e3,
    "h-total": lambda m: m.hours_feeding,
    "h-on": lambda m: m.hours_on,
    "netz-ein": lambda m: m.starts,
    "fehler-cnt": lambda _: 86,
    "event-cnt": lambda _: 412,
}
"""Channel, in lower case → its value in the unit without a prefix; energy in kWh. What is not here is 0."""

SERIAL = {"seriennummer", "serial number", "snr", "sma-sn"}

MORNING = {
    "fac", "pac", "iac-ist", "iac", "tkk", "temperature", "e-total", "h-total", "ipv", "gridms.hz",
}  # fmt: skip
"""What is 0 in the morning while the rest is right already (PERL waits for Fac, Temperature, E-Total and h-Total)."""


def number(channel: Channel, moment: Moment, serial: int) -> float:
    """What a spot channel shows, in its own unit; a status channel: the code."""
    name = channel.name.lower()
    if name in SERIAL:
        return serial
    if isinstance(channel, Status):
        return _code(channel.texts, moment) if name in {"status", "mode"} else 0
    plain = _of_three(name, moment) if ".ms." in name or ".phs" in name else None
    if plain is None:
        plain = _SAYS[name](moment) if name in _SAYS else 0.0
    return plain * MILLI.get(getattr(channel, "unit", ""), 1.0)


def raw(channel: Channel, moment: Moment, serial: int) -> tuple[int | float, ...]:
    """The numbers of a channel as they stand in an answer."""
    depth = channels.depth(channel)
    if channel.ctype & PARAMETER:
        return (_parameter(channel, serial),) * depth
    if channel.ctype & TEST:
        return (0,) * depth
    shown = number(channel, moment, serial)
    if channel.ntype & 7 in {4, 5}:
        return (float(shown),) * depth
    whole = channels.raw_of(channel, shown)
    most = 1 << 8 * channels.width(channel) // depth
    # A counter that is full begins anew (E-Total in 1/60 Wh: at 71 580 kWh); a measurement stops one short of all ones.
    whole = whole % most if isinstance(channel, Counter) else min(max(whole, 0), most - 2)
    return (whole,) * depth


def _parameter(channel: Channel, serial: int) -> int | float:
    """In the middle of what it may be; gain and offset of a parameter are its limits."""
    if channel.name.lower() in SERIAL:
        return serial
    if not isinstance(channel, Analog):
        return 0
    middle = (channel.gain + channel.offset) / 2
    return middle if channel.ntype & 7 in {4, 5} else int(middle)


def _of_three(name: str, moment: Moment) -> float | None:
    """One of two strings (A.Ms.Vol) or of three phases (GridMs.PhV.phsB)."""
    head, _, quantity = name.partition(".ms.")
    if quantity:
        string = THREE[head]
        share = 0.55 if string == 0 else 0.45
        u_dc = moment.u_dc - 7.0 * string
        watts = moment.p_dc * share
        return {"vol": u_dc, "amp": watts / u_dc, "watt": watts}.get(quantity)
    quantity, _, letter = name.removeprefix("gridms.").partition(".phs")
    u_ac = moment.u_ac + 1.1 * THREE[letter]
    watts = moment.p_ac / 3
    return {"phv": u_ac, "a": watts / u_ac, "w": watts}.get(quantity)


def _code(texts: tuple[str, ...], moment: Moment) -> int:
    """Warten, Mpp-Such, Mpp: by what this list calls them."""
    lower = [text.lower() for text in texts]
    if moment.p_ac <= 0:
        wanted = ["warten", "wait", "stop"]
    elif moment.load < 0.02:
        wanted = ["mpp-such", "mpp-search", "mpp"]
    else:
        wanted = ["mpp"]
    return next((lower.index(word) for word in wanted if word in lower), 0)
