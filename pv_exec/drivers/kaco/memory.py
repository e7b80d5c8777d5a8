"""What a Kaco bus remembers from run to run: whose turn it is, the types last heard, and what its totals said."""

from collections.abc import Iterator, Mapping
from typing import Any

from pv_exec.conversation import Keep, packed, table, unpacked
from pv_exec.drivers.kaco import totals
from pv_exec.drivers.kaco.types import rated_power


class Memory:
    """One bus's memory; changes as the conversation goes on and is kept at its end."""

    def __init__(self, kept: Mapping[str, bytes]) -> None:
        """What is damaged, or written by another version, is as if it were not there, and learned again. Never raises."""
        run = unpacked(kept.get("run", b""))
        units = unpacked(kept.get("units", b""))
        turn = run.get("turn")
        self.turn: str = turn if isinstance(turn, str) else ""
        self.types: dict[str, str] = {
            name: kind for name, kind in table(run.get("types")).items() if isinstance(kind, str)
        }
        self.steady: set[str] = set()
        self.totals: dict[str, totals.Memory] = {}
        for name, entry in table(run.get("totals")).items():
            try:
                self.totals[name] = _totals(entry)
            except (TypeError, ValueError):
                continue
        for name, entry in table(units).items():
            match entry:
                case [str(unit), str(model)] if unit in totals.UNITS:
                    known = self.totals.get(name, totals.Memory())
                    self.totals[name] = known._replace(unit=unit, model=model)

    def type_is_likely(self, name: str, heard: str) -> bool:
        """Whether a type that no checksum covers may be published: heard twice running, or first heard and in the list."""
        before = self.types.get(name)
        self.types[name] = heard
        if before == heard:
            self.steady.add(name)
        return before == heard or (before is None and rated_power(heard) is not None)

    def steady_type(self, name: str) -> str:
        """The type that this and the last run heard alike, "" where they did not."""
        return self.types[name] if name in self.steady else ""

    def keeps(self, kept: Mapping[str, bytes]) -> Iterator[Keep]:
        """What has to be kept now; the units found are durable, and written only when they changed."""
        entries = {
            name: (entry.last, entry.previous, entry.base, entry.candidate, entry.findings)
            for name, entry in self.totals.items()
        }
        run = packed({"turn": self.turn, "types": self.types, "totals": entries})
        if run != kept.get("run"):
            yield Keep("run", run, durable=False)
        units = packed({name: (entry.unit, entry.model) for name, entry in self.totals.items() if entry.unit})
        if units != kept.get("units", b"{}"):
            yield Keep("units", units)


def _totals(entry: Any) -> totals.Memory:
    """Raises TypeError or ValueError for anything but what `keeps` writes."""
    last, previous, base, candidate, findings = entry
    if base is not None:
        total, energy, boot = base
        base = (_whole(total), _whole(energy), _text(boot))
    return totals.Memory(
        _reply(last),
        _reply(previous),
        base,
        candidate if candidate in totals.UNITS else None,
        _whole(findings),
    )


def _reply(entry: Any) -> totals.Reply | None:
    if entry is None:
        return None
    total, hours, at, boot = entry
    return totals.Reply(_whole(total), _number(hours), _number(at), _text(boot))


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise TypeError(value)
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < 1e18:
        raise TypeError(value)
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
