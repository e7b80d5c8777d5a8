"""The last word on every value: what is out of range, jumps, or falls is left out and named. Pure.

A frame's own checks stand in its family; here stands what only a look at the vocabulary and at earlier readings can tell.
"""

from collections.abc import Mapping
from typing import NamedTuple

from pv_exec.model import Event, Outcome
from pv_exec.quantities import Quantity, Value, find

SETTLE = 3600.0
"""Seconds for which a counter must rise consistently from a new base before it is believed (an exchanged inverter)."""

UNRATED = 1e6
"""W: for an inverter whose rated power is not known, the range of the vocabulary is all there is."""

ROUNDING = {
    "energy_total_wh": 1000.0,
    "energy_today_wh": 100.0,
    "operating_time_h": 0.1,
    "feed_in_time_h": 0.1,
}
"""How far a counter may jump by its own resolution (some count whole kWh), in its own unit."""

MORNING = 500.0
"""Wh: a fall of today's energy to less than this is the inverter's own morning."""


class Track(NamedTuple):
    """What a counter did: the last value believed, and the new base that is on trial."""

    value: float
    at: float
    boot: str
    new: float | None = None
    new_from: float = 0.0
    new_since: float = 0.0
    new_at: float = 0.0
    new_boot: str = ""


class Ruling(NamedTuple):
    """The outcome with what may be published, the tracks to remember, and what should be told once."""

    outcome: Outcome
    tracks: dict[str, Track]
    events: tuple[Event, ...]


def judge(outcome: Outcome, tracks: Mapping[str, Track], boot: str) -> Ruling:
    """Check every value of an outcome against its range and its past. `outcome.at` and `boot` say when it is."""
    values: dict[str, Value] = {}
    dropped = list(outcome.dropped)
    events: list[Event] = []
    after = dict(tracks)
    for name, given in outcome.values.items():
        quantity = find("pv_inverter", name)
        why = _misfit(quantity, given)
        if why:
            dropped.append(f"{name}: {why}")
            continue
        value = float(given) if quantity and quantity.kind is float and not isinstance(given, str) else given
        if name in ROUNDING and isinstance(value, float):
            after[name], why, event = _follow(name, tracks.get(name), value, outcome, boot)
            events += [Event(outcome.inverter, "new_base", event)] if event else []
            if why:
                dropped.append(f"{name}: {why}")
                continue
        values[name] = value
    return Ruling(outcome._replace(values=values, dropped=tuple(dropped)), after, tuple(events))


def _misfit(quantity: Quantity | None, value: Value) -> str:
    if quantity is None:
        return "the vocabulary has no such quantity"
    if quantity.kind is str:
        return "" if isinstance(value, str) else "is no text"
    if isinstance(value, str | bool):
        return "is no number"
    if quantity.kind is int and not isinstance(value, int):
        return f"{value:g} is no whole number"
    if not quantity.low <= value <= quantity.high:
        return f"{value:g} is not between {quantity.low:g} and {quantity.high:g}"
    return ""


def _follow(
    name: str, track: Track | None, value: float, outcome: Outcome, boot: str
) -> tuple[Track, str, str]:
    """The track after this value, why the value is left out ("": it is not), and the text of an event ("": none)."""
    at = outcome.at
    rate = 1.0 if name.endswith("_h") else outcome.rated_power or UNRATED
    here = Track(value, at, boot)
    if track is None or _can_follow(
        track.value, value, track.boot == boot, at - track.at, rate, ROUNDING[name]
    ):
        return here, "", ""
    daily = name == "energy_today_wh"
    if daily and value < track.value and value <= MORNING:
        return here, "", ""
    what = f"{value:.10g} after {track.value:.10g}"
    if (
        track.new is None
        or track.new_boot != boot
        or not _can_follow(track.new, value, True, at - track.new_at, rate, ROUNDING[name])
    ):
        trial = track._replace(new=value, new_from=value, new_since=at, new_at=at, new_boot=boot)
        return trial, f"{what} is no rise that can be", ""
    if daily:
        return here, "", ""
    if at - track.new_since >= SETTLE and value > track.new_from:
        return here, "", f"{name} goes on from {value:.10g}, it was {track.value:.10g} (exchanged or cleared)"
    tried = f"on trial for {(at - track.new_since) / 60:.0f} min of {SETTLE / 60:.0f}"
    return track._replace(new=value, new_at=at), f"{what}: a new base, {tried}", ""


def _can_follow(
    before: float, value: float, same_boot: bool, seconds: float, rate: float, rounding: float
) -> bool:
    """Whether a counter can have come from `before` to `value`. Over a reboot nobody knows how long it took."""
    grown = value - before
    return grown >= 0 and (not same_boot or grown <= rate * seconds / 3600 + rounding)
