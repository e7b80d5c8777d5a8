"""When to believe a lifetime total: the answer to command 3 has no checksum, and nothing in it tells its unit.

A total is believed when it agrees with an earlier reply of the same boot: not less, and not more than the inverter's
peak power could have added since. Its unit is the setting, else the one of the family where two sources stand
behind it, else it is learned from how the total grows beside the energy of today (which is Wh on all of them).
"""

from typing import Literal, NamedTuple

from pv_exec.drivers.kaco.messages import Totals

Unit = Literal["Wh", "0.1 kWh", "kWh"]
UNITS: dict[Unit, float] = {"Wh": 1.0, "0.1 kWh": 100.0, "kWh": 1000.0}
"""Wh per count."""

LEARN_FROM = 2000
"""Wh of today's energy over which the growth of the total is weighed: kWh then shows 1 to 3 counts, 0.1 kWh 19 to 21,
Wh about 2000, so that no two units can be confused."""

UNTOLD = float("inf")
"""Operating hours of a reply that has none: an XP with old software tells its total alone, behind every reading."""

FINDINGS = 2
"""How often the same unit must be found before it is kept; command 3 has no checksum, one garbled reply could mislead."""


class Reply(NamedTuple):
    """A reply as it was remembered: total in its own unit, operating hours, when (boottime, s) and in which boot."""

    total: int
    hours: float
    at: float
    boot: str


class Memory(NamedTuple):
    """What is known of one inverter's totals."""

    last: Reply | None = None
    """The last total that was believed."""
    previous: Reply | None = None
    """The last reply, believed or not."""
    base: tuple[int, int, str] | None = None
    """Where the present weighing of units began: total, energy of today, boot."""
    candidate: Unit | None = None
    findings: int = 0
    unit: Unit | None = None
    """The unit found; durable."""
    model: str = ""
    """Whose unit that is: an exchanged inverter learns anew."""


class Verdict(NamedTuple):
    """The total in Wh and the operating hours, each None until believed; why; and what to remember."""

    energy_wh: float | None
    hours: float | None
    why: str
    memory: Memory


def weigh(
    memory: Memory,
    reply: Totals,
    at: float,
    boot: str,
    *,
    rated: float,
    default: Unit | None,
    setting: Unit | None,
    model: str,
) -> Verdict:
    """Decide on one reply to command 3. `rated`: the most the inverter can feed, W; `at`: boottime, s. Pure.

    `model`: the type where it is beyond doubt, else "": no checksum covers it, and a garbled one must cost no unit.
    """
    if memory.unit and model:
        memory = memory._replace(model=model) if memory.model in ("", model) else Memory()
    now = Reply(reply.total, reply.hours_total, at, boot)
    hours = None if now.hours == UNTOLD else now.hours
    unit = setting or memory.unit or (default if default and _credible(reply, default, rated) else None)
    believed = any(
        old is not None and old.boot == boot and _agrees(old, now, rated, UNITS[unit or "Wh"])
        for old in (memory.last, memory.previous)
    )
    memory = memory._replace(previous=now)
    if not believed:
        return Verdict(None, None, "no second reply agrees with it yet", memory)
    memory = memory._replace(last=now)
    if unit is None:
        memory = _learn(memory, reply, boot, model)
        unit = memory.unit
    if unit is None:
        return Verdict(None, hours, "its unit is not known yet (set total_unit to end the wait)", memory)
    if not _credible(reply, unit, rated):
        why = f"{reply.total} {unit} in {reply.hours_total:g} h is more than the inverter can feed"
        return Verdict(None, hours, why, memory)
    return Verdict(reply.total * UNITS[unit], hours, "", memory)


def _agrees(old: Reply, new: Reply, rated: float, wh: float) -> bool:
    """Whether `new` can follow `old`: at peak power, at most, and with a count and a minute of rounding."""
    hours = (new.at - old.at) / 3600
    fed = new.total - old.total
    on = 0.0 if new.hours == old.hours else round(new.hours - old.hours, 6)
    return 0 <= fed <= rated * hours / wh + 1 and 0 <= on <= hours + 1 / 60


def _credible(reply: Totals, unit: Unit, rated: float) -> bool:
    """Whether the mean power over all operating hours lies below the rated power (sheet: D4·unit / D7 < Pmax)."""
    return reply.total * UNITS[unit] <= rated * (reply.hours_total + 1)


def _learn(memory: Memory, reply: Totals, boot: str, model: str) -> Memory:
    """Weigh the growth of the total against the energy of today since the base; a new day begins anew."""
    here = (reply.total, reply.energy_today, boot)
    if memory.base is None or memory.base[2] != boot or reply.energy_today < memory.base[1]:
        return memory._replace(base=here)
    fed = reply.energy_today - memory.base[1]
    if fed < LEARN_FROM:
        return memory
    grown = reply.total - memory.base[0]
    found = [
        unit for unit, wh in UNITS.items() if grown >= 1 and abs(grown - fed / wh) <= 1 + 0.01 * fed / wh
    ]
    if len(found) != 1:
        return memory._replace(base=here, candidate=None, findings=0)
    findings = memory.findings + 1 if memory.candidate == found[0] else 1
    memory = memory._replace(base=here, candidate=found[0], findings=findings)
    return memory._replace(unit=found[0], model=model) if findings >= FINDINGS else memory
