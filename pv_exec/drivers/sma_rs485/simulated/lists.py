"""Channel lists for simulated inverters, and other lists under the same type. Read from the tables beside this file."""

import os
from functools import cache
from typing import NamedTuple

from pv_exec.drivers.sma_rs485 import channels, profile
from pv_exec.drivers.sma_rs485.channels import ANALOG, COUNTER, SPOT, TEST, Analog, Channel, Counter

HERE = os.path.dirname(os.path.abspath(__file__))

OF_TYPE = {
    "WR20-004": "wr20-004",
    "WR33-008": "wr33-008",
    "STP-TL20": "tl20",
    "WR25U-01": "english",
}
"""Type → its list. The last two types are invented; any other type has the first list unless it is told which."""

OTHERS = ("longer", "reordered")
"""How another list under the same type differs."""


class List(NamedTuple):
    """A channel list as an inverter holds it."""

    channels: tuple[Channel, ...]
    data: bytes
    """As it is downloaded."""


@cache
def load(name: str) -> List:
    """A list by the name of its table, with `+longer` or `+reordered` behind it another one. ValueError for no such list."""
    name, _, how = name.partition("+")
    if name not in names() or (how and how not in OTHERS):
        raise ValueError(
            f"there is no channel list {name!r}: {', '.join(names())}, then +{' or +'.join(OTHERS)}"
        )
    with open(os.path.join(HERE, f"{name}.csv"), encoding="utf-8") as file:
        data = profile.from_text(file.read())
    found = channels.parse(data)
    if how:
        found = _longer(found) if how == "longer" else _reordered(found)
        data = channels.build(found)
    return List(found, data)


@cache
def names() -> list[str]:
    """The lists there are."""
    return sorted(file.removesuffix(".csv") for file in os.listdir(HERE) if file.endswith(".csv"))


def other(name: str, how: str) -> str:
    """The name of another list than this one."""
    name, _, had = name.partition("+")
    return f"{name}+{how if how != had else next(one for one in OTHERS if one != had)}"


def _is_spot(channel: Channel, kind: int) -> bool:
    return bool(channel.ctype & SPOT and channel.ctype & kind and not channel.ctype & TEST)


def _longer(found: tuple[Channel, ...]) -> tuple[Channel, ...]:
    """Tkk max, Upv max and h-On more, and E-Total in Wh, as a younger firmware had it (Y2M, issue 46)."""
    has = {channel.name for channel in found}
    analog = [name for name in ("Tkk max", "Upv max", "Res 1", "Res 2") if name not in has][:2]
    new: list[Channel] = []
    for i, channel in enumerate(found):
        if channel.name == "E-Total" and isinstance(channel, Counter):
            new.append(channel._replace(gain=0.001))
        else:
            new.append(channel)
        behind = found[i + 1] if i + 1 < len(found) else None
        if _is_spot(channel, ANALOG) and not (behind and _is_spot(behind, ANALOG)):
            units = {"Tkk max": ("grdC", 0.1), "Upv max": ("V", 1.0)}
            for more, name in enumerate(analog, 1):
                unit, gain = units.get(name, ("", 1.0))
                new.append(Analog(channel.number + more, channel.ctype, 0x0101, 0x22, name, unit, gain, 0.0))
        if _is_spot(channel, COUNTER) and not (behind and _is_spot(behind, COUNTER)):
            name = "h-On" if "h-On" not in has else "Res Cnt"
            new.append(Counter(channel.number + 1, channel.ctype, 0x0102, 0, name, "h", 1 / 3600))
    return tuple(new)


def _reordered(found: tuple[Channel, ...]) -> tuple[Channel, ...]:
    """The spot values of each class the other way round: answers are as long as before, and mean something else."""
    new = list(found)
    for kind in (ANALOG, COUNTER):
        places = [i for i, channel in enumerate(found) if _is_spot(channel, kind)]
        for place, source in zip(places, reversed(places), strict=True):
            new[place] = found[source]._replace(number=found[place].number)
    return tuple(new)
