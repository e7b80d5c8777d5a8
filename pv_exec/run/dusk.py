"""Whom to ask in the dark, and what silence means there. Pure."""

from collections.abc import Mapping

from pv_exec.box import sun
from pv_exec.box.sun import phase
from pv_exec.model import Inverter, Outcome
from pv_exec.run.plan import Site

UNPROBED = 300.0
"""Seconds after which every dark inverter is asked again: one dead one must never hide the others at dawn."""


def sun_height(site: Site, wall: float, trusted: bool) -> float | None:
    """Degrees of the sun above the site's horizon at a Unix time; None without a position or a trusted clock."""
    if not trusted or site.latitude is None or site.longitude is None:
        return None
    return sun.elevation(wall, site.latitude, site.longitude)


def chosen(
    inverters: tuple[Inverter, ...],
    elevation: float | None,
    asked: Mapping[str, float],
    ok: Mapping[str, float],
    now: float,
) -> tuple[Inverter, ...]:
    """The inverters to ask in this run. By day, in twilight and where nobody knows: all.

    At night: those that answered within the last minutes, and as short probes the one longest unprobed and all that
    were not asked for UNPROBED seconds. `asked`, `ok`: boottime of the last question and of the last good answer.
    """
    if elevation is None or phase(elevation) != "night":
        return inverters
    longest = min(
        (inverter.name for inverter in inverters), key=lambda name: asked.get(name, 0.0), default=""
    )
    picked = []
    for inverter in inverters:
        name = inverter.name
        if now - ok.get(name, float("-inf")) < UNPROBED:
            picked.append(inverter)
        elif name == longest or now - asked.get(name, float("-inf")) >= UNPROBED:
            picked.append(inverter._replace(expected=False))
    return tuple(picked)


def settled(outcome: Outcome, elevation: float | None) -> Outcome:
    """Silence is a failure only while the sun is surely up; else the inverter is asleep, and that is no error."""
    if outcome.state != "silent" or (elevation is not None and phase(elevation) == "day"):
        return outcome
    return outcome._replace(state="asleep", error="")
