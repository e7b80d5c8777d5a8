"""What a bus remembers between runs, besides what its driver keeps: whom it asked and heard when, and its counters."""

from collections.abc import Mapping
from typing import Any

from pv_exec.box import lock, paths
from pv_exec.conversation import packed, table, unpacked
from pv_exec.model import Outcome
from pv_exec.run.judge import Track

DISK_LOCK = "disk"
"""Key of the lock under which the state directory is written."""


def load(runtime: str, state: str, bus: str) -> dict[str, bytes]:
    """Everything kept for a bus by name; the runtime directory's copy is the younger one.

    Where a writer hangs on the disk, reading it could hang as well: then only what this boot knows is loaded.
    """
    kept = paths.read_kept(runtime, bus)
    holder = lock.holder(runtime, DISK_LOCK)
    if holder and holder.process and holder.process.letter == "D":
        return kept
    return paths.read_kept(state, bus) | kept


def times(kept: Mapping[str, bytes], boot: str) -> tuple[dict[str, float], dict[str, float]]:
    """Boottimes of each inverter's last question and of its last good answer; those of another boot say nothing."""
    entry = unpacked(kept.get("times", b""))
    if entry.get("boot") != boot:
        return {}, {}
    asked, ok = (
        {name: at for name, at in table(entry.get(key)).items() if _is_time(at)} for key in ("asked", "ok")
    )
    return asked, ok


def dump_times(kept: Mapping[str, bytes], boot: str, outcomes: Mapping[str, Outcome]) -> bytes:
    """The times after a run with these outcomes, as they are kept."""
    asked, ok = times(kept, boot)
    for name, outcome in outcomes.items():
        if outcome.attempts:
            asked[name] = outcome.at
        if outcome.state == "ok":
            ok[name] = outcome.at
    return packed({"boot": boot, "asked": asked, "ok": ok})


def tracks(kept: Mapping[str, bytes]) -> tuple[dict[str, dict[str, Track]], tuple[float, str] | None]:
    """The counters' tracks by inverter and quantity, and when (boottime, boot) they were last written to the disk.

    A track that is damaged or was written by another version is left out: that counter is learned again. Never raises.
    """
    entry = unpacked(kept.get("tracks", b""))
    found = {
        name: {key: Track(*track) for key, track in table(of).items() if _is_track(track)}
        for name, of in table(entry.get("of")).items()
    }
    match entry.get("saved"):
        case [at, str(boot)] if _is_time(at):
            return found, (at, boot)
    return found, None


def dump_tracks(of: Mapping[str, Mapping[str, Track]], saved: tuple[float, str] | None) -> bytes:
    """The tracks as they are kept."""
    return packed({"saved": saved, "of": of})


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e18


def _is_track(entry: Any) -> bool:
    match entry:
        case [value, at, str(_), new, new_from, new_since, new_at, str(_)]:
            times = (value, at, value if new is None else new, new_from, new_since, new_at)
            return all(map(_is_time, times))
    return False
