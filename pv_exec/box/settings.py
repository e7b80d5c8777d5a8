"""A TOML table into a NamedTuple, whose names, annotations and defaults are the schema, the sample and the manual."""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")
Path = tuple[str | int, ...]


class Text(NamedTuple):
    """Sentences for the sample and the manual, and an example where the default says nothing."""

    sentence: str
    example: Any = None


class Range(NamedTuple):
    """Least and greatest value allowed, both included; None = no limit."""

    lo: float | None = None
    hi: float | None = None


class Unit(NamedTuple):
    """How a quantity is written in quotes; see Duration and Size."""

    kind: str


SECRET = Unit("secret")
"""Annotated[str, SECRET]: the value is never shown."""
Duration = Annotated[float, Unit("duration")]
"""Seconds, written "250ms" "4s" "15m" "1h30m" "30d"."""
Size = Annotated[int, Unit("size")]
"""Bytes, written "500MB" "2GiB"."""


class Fault(NamedTuple):
    """One thing wrong in a table; str() is one line for people."""

    path: Path
    found: str
    allowed: str
    hint: str = ""
    kind: str = "value"
    """value, missing or unknown (a key nobody knows; only a warning to a running program)."""


class Taken(NamedTuple, Generic[T]):
    """What became of a table: `value` is None when a fault other than an unknown key stands in the way."""

    value: T | None
    faults: tuple[Fault, ...]


def take(cls: Callable[..., T], table: Mapping[str, Any], where: Path = (), *, also: Iterable[str] = ()) -> Taken[T]:
    """Turns `table` into a `cls` (a NamedTuple). `where`: its path; `also`: further known keys, for "did you mean" only."""
    raise NotImplementedError


def locate(text: str, path: Path) -> int | None:
    """Line (from 1) of a key in a TOML text; of the nearest table around it where the key is not there; else None."""
    raise NotImplementedError


def sample(cls: Callable[..., Any], header: str = "") -> list[str]:
    """TOML lines: `## sentence`, `# key = default`."""
    raise NotImplementedError


def effective(instance: Any, header: str = "") -> list[str]:
    """TOML lines of the values in force; secrets are not shown."""
    raise NotImplementedError
