"""What a Kaco bus remembers from run to run: whose turn it is, the types last heard, and what its totals said."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pv_exec.conversation import Keep
from pv_exec.drivers.kaco import totals
from pv_exec.drivers.kaco.types import rated_power


class Memory:
    """One bus's memory; changes as the conversation goes on and is kept at its end."""

    def __init__(self, kept: Mapping[str, bytes]) -> None:
        """A damaged or older memory is none: everything in it is learned again."""
        run = _load(kept.get("run", b""))
        units = _load(kept.get("units", b""))
        self.turn: str = run.get("turn", "")
        self.types: dict[str, str] = run.get("types", {})
        self.totals: dict[str, totals.Memory] = {}
        for name, entry in run.get("totals", {}).items():
            last, previous, base, candidate, findings = entry
            self.totals[name] = totals.Memory(
                totals.Reply(*last) if last else None,
                totals.Reply(*previous) if previous else None,
                tuple(base) if base else None,
                candidate,
                findings,
            )
        for name, (unit, model) in units.items():
            self.totals[name] = self.totals.get(name, totals.Memory())._replace(unit=unit, model=model)

    def type_is_sure(self, name: str, heard: str) -> bool:
        """Whether a type that no checksum covers may be published: it is in the list, or was heard twice running."""
        before = self.types.get(name)
        self.types[name] = heard
        return rated_power(heard) is not None or before == heard

    def keeps(self, kept: Mapping[str, bytes]) -> Iterator[Keep]:
        """What has to be kept now; the units found are durable, and written only when they changed."""
        entries = {
            name: (entry.last, entry.previous, entry.base, entry.candidate, entry.findings)
            for name, entry in self.totals.items()
        }
        run = _dump({"turn": self.turn, "types": self.types, "totals": entries})
        if run != kept.get("run"):
            yield Keep("run", run, durable=False)
        units = _dump({name: (entry.unit, entry.model) for name, entry in self.totals.items() if entry.unit})
        if units != kept.get("units", b"{}"):
            yield Keep("units", units)


def _dump(what: Any) -> bytes:
    return json.dumps(what, sort_keys=True, separators=(",", ":")).encode()


def _load(data: bytes) -> dict[str, Any]:
    try:
        what = json.loads(data)
    except ValueError:
        return {}
    return what if isinstance(what, dict) else {}
