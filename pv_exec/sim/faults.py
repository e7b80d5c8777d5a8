"""What can go wrong on any line, whatever is spoken on it. Each fault is a name and a value; without one it has a default.

Faults of a protocol (sums, addresses, types) belong to the family's simulator, which has a table of the same shape.
"""

from collections.abc import Mapping
from typing import NamedTuple

_TABLE: dict[str, tuple[str, str]] = {
    "night": ("", "no station answers"),
    "echo": ("", "the adapter hears itself: the request comes back before the answer"),
    "inverted-echo": (
        "",
        "the request comes back with the polarity of its bits swapped, as a receiver reads that",
    ),
    "echo-only": (
        "clean",
        "the request comes back (=clean or =inverted, default {}), and no station answers",
    ),
    "nul": ("2", "N zero bytes before and after each answer (default {})"),
    "noise-before": ("5", "N random bytes right before each answer (default {})"),
    "noise-after": ("5", "N random bytes right after each answer (default {})"),
    "babble": ("", "random bytes without end; no station gets a word in"),
    "truncate": ("20", "each answer ends after N bytes (default {})"),
    "drop": ("0.02", "each byte of an answer is lost with probability P (default {})"),
    "flip": ("0.002", "each bit of an answer is flipped with probability P (default {})"),
    "slow": ("1.5", "each answer begins S seconds later than the station's own delay (default {})"),
    "late": (
        "1",
        "each answer is delivered once more S seconds later, as a bridge did after 13 s (default {})",
    ),
    "hang-up": ("20", "the port goes away after N bytes of an answer, for 3 s (default {})"),
    "chunks": ("1", "bytes are handed over N at a time (default {}; without this fault 1 to 16, at random)"),
}

DEFAULTS: dict[str, str] = {name: default for name, (default, _) in _TABLE.items()}
"""Fault of the line → the value it has when none is given."""

FAULTS: dict[str, str] = {name: text.format(default) for name, (default, text) in _TABLE.items()}
"""Fault of the line → what it does, in a line."""

MODIFIERS: dict[str, str] = {
    "first": "faults spoil only the first N answers of each station",
    "only": "faults spoil only the answers of this station",
}
"""Given like faults; they say which answers the others spoil. Each family's simulator knows them too."""


class Faults(NamedTuple):
    """The line's faults as numbers; None and False: off."""

    night: bool = False
    echo: str = ""
    """"", "clean" or "inverted"."""
    nul: int = 0
    noise_before: int = 0
    noise_after: int = 0
    babble: bool = False
    truncate: int | None = None
    drop: float = 0.0
    flip: float = 0.0
    slow: float = 0.0
    late: float | None = None
    hang_up: int | None = None
    chunks: int = 0
    first: int | None = None
    only: int | None = None


def parse(faults: Mapping[str, str]) -> Faults:
    """Read names and values (empty: the default). ValueError, with a sentence, for a name or a value that is none."""
    if unknown := [name for name in faults if name not in DEFAULTS and name not in MODIFIERS]:
        raise ValueError(f"no such fault: {', '.join(unknown)}")
    given = {name: value or DEFAULTS.get(name, "1") for name, value in faults.items()}
    return Faults(
        night="night" in given or "echo-only" in given,
        echo=_echo(given),
        nul=_count(given, "nul") or 0,
        noise_before=_count(given, "noise-before") or 0,
        noise_after=_count(given, "noise-after") or 0,
        babble="babble" in given,
        truncate=_count(given, "truncate"),
        drop=_number(given, "drop", 1.0) or 0.0,
        flip=_number(given, "flip", 1.0) or 0.0,
        slow=_number(given, "slow", 3600.0) or 0.0,
        late=_number(given, "late", 3600.0),
        hang_up=_count(given, "hang-up"),
        chunks=_count(given, "chunks") or 0,
        first=_count(given, "first"),
        only=_count(given, "only"),
    )


def _echo(given: Mapping[str, str]) -> str:
    if "echo-only" in given and given["echo-only"] not in {"clean", "inverted"}:
        raise ValueError(f"echo-only is clean or inverted, not {given['echo-only']}")
    if "inverted-echo" in given or given.get("echo-only") == "inverted":
        return "inverted"
    return "clean" if "echo" in given or "echo-only" in given else ""


def _count(given: Mapping[str, str], name: str) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    if not value.isdecimal():
        raise ValueError(f"{name} wants a whole number, not {value}")
    return int(value)


def _number(given: Mapping[str, str], name: str, most: float) -> float | None:
    value = given.get(name)
    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0.0 <= number <= most:
        raise ValueError(f"{name} wants a number from 0 to {most:g}, not {value}")
    return number
