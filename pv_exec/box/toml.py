"""TOML as text: quantities with a unit, single values, and where in a file a key stands. (Reading it is tomllib's.)"""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

Path = tuple[str | int, ...]
"""Where something is in a configuration: keys, and positions in arrays from 0: ("bus", 0, "inverter", 1, "address")."""

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
BYTES = {
    "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30,
    "TiB": 2**40,
}  # fmt: skip


def seconds(text: str) -> float | None:
    """The seconds of "250ms" "4s" "15m" "1h30m" "30d"; None for anything else."""
    return _quantity(text, SECONDS, float)


def size(text: str) -> int | None:
    """The bytes of "500MB" (10⁶) or "512MiB" (2²⁰); None for anything else."""
    return _quantity(text, BYTES, int)


def _quantity(text: str, units: Mapping[str, float], plain: Callable[[float], T]) -> T | None:
    """Sum of `number unit` pairs ("1h30m"), or None."""
    pair = rf"\s*([0-9]{{1,15}}(?:\.[0-9]{{1,9}})?)\s*({'|'.join(units)})"
    if not re.fullmatch(rf"(?:{pair})+\s*", text):
        return None
    return plain(
        sum(float(number) * units[unit] for number, unit in re.findall(rf"{pair}(?![a-zA-Z])", text))
    )


def bare(key: str) -> str:
    """A key as it is written: in quotes only where it must be."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else written(key)


def written(value: Any, kind: str = "") -> str:
    """One value as TOML; `kind` writes numbers as durations or sizes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float) and kind:
        return f'"{_with_unit(value, SECONDS if kind == "duration" else BYTES)}"'
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda control: f"\\u{ord(control[0]):04x}", escaped) + '"'
    if isinstance(value, Mapping):
        return (
            "{ " + ", ".join(f"{bare(key)} = {written(each, kind)}" for key, each in value.items()) + " }"
            if value
            else "{}"
        )
    if hasattr(value, "_asdict"):
        return written({key.rstrip("_"): each for key, each in value._asdict().items() if each is not None})
    return "[" + ", ".join(written(each, kind) for each in value) + "]"


def _with_unit(value: float, units: Mapping[str, float]) -> str:
    """The number in the greatest unit that keeps it whole; weeks are rarely meant, thousands are (500MB, not 488281.25KiB)."""
    if not value:
        return "0s" if units is SECONDS else "0B"
    for unit in (
        ("d", "h", "m", "s", "ms")
        if units is SECONDS
        else ("TB", "GB", "MB", "kB", "TiB", "GiB", "MiB", "KiB")
    ):
        count = value / units[unit]
        if abs(count - round(count)) < 1e-9 * max(1.0, count) and round(count):
            return f"{round(count)}{unit}"
    return f"{value}{'s' if units is SECONDS else 'B'}"


def locate(text: str, path: Path) -> int | None:
    """Line (from 1) of a key in a TOML text, for faults only (it reads the text once more, by a scanner of its own).

    Where the key is not there (a missing one): the nearest table or array around it; None for the file itself, or when
    the text is beyond it. Never raises.
    """
    found: dict[Path, int] = {}
    try:
        _Scanner(text, found).document()
    except (IndexError, ValueError):  # no TOML; what was found before the spot still serves
        pass
    for length in range(len(path), 0, -1):
        if path[:length] in found:
            return found[path[:length]]
    return None


class _Scanner:
    """Walks through a TOML text and notes at which line each path begins."""

    def __init__(self, text: str, found: dict[Path, int]) -> None:
        self.text = text
        self.found = found
        self.at = 0
        self.counts: dict[Path, int] = {}  # arrays of tables, by path, and how many tables they have so far

    def document(self) -> None:
        table: Path = ()
        while self.blank(newlines=True):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)

    def blank(self, *, newlines: bool) -> bool:
        """Skips space and comments; False at the end of the text."""
        skipped = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*" if newlines else r"[ \t]*").match(self.text, self.at)
        self.at = skipped.end() if skipped else self.at
        return self.at < len(self.text)

    def note(self, path: Path, at: int) -> None:
        self.found.setdefault(path, self.text.count("\n", 0, at) + 1)

    def header(self) -> Path:
        start, many = self.at, self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        keys = self.keys()
        self.at = self.text.index("]", self.at) + (2 if many else 1)
        path: Path = ()
        for n, key in enumerate(keys):
            path = (*path, key)
            last = many and n == len(keys) - 1
            if last:
                self.counts[path] = self.counts.get(path, 0) + 1
            self.note(path, start)
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
                self.note(path, start)
        return path

    def keys(self) -> list[str]:
        """A dotted key."""
        keys = []
        while True:
            self.blank(newlines=False)
            if self.text[self.at] in "\"'":
                keys.append(self.string())
            else:
                bare = re.compile(r"[^\s.=\]#,]+").match(self.text, self.at)
                if not bare:
                    raise ValueError(self.at)
                keys.append(bare[0])
                self.at = bare.end()
            self.blank(newlines=False)
            if self.text[self.at] != ".":
                return keys
            self.at += 1

    def pair(self, table: Path) -> None:
        start, path = self.at, table
        for key in self.keys():
            path = (*path, key)
            self.note(path, start)
        self.at = self.text.index("=", self.at) + 1
        self.value(path)

    def value(self, path: Path) -> None:
        self.blank(newlines=False)
        sign = self.text[self.at]
        if sign in "\"'":
            self.string()
        elif sign in "[{":
            self.collection(path, "]" if sign == "[" else "}")
        else:
            end = re.compile(r"[^\n,\]}#]*").match(self.text, self.at)
            self.at = end.end() if end else self.at

    def collection(self, path: Path, closing: str) -> None:
        self.at += 1
        n = 0
        while self.blank(newlines=True) and self.text[self.at] != closing:
            if closing == "}":
                self.pair(path)
            else:
                self.note((*path, n), self.at)
                self.value((*path, n))
            n += 1
            self.blank(newlines=True)
            if self.text[self.at] == ",":
                self.at += 1
            elif self.text[self.at] != closing:
                raise ValueError(self.at)
        self.at += 1

    def string(self) -> str:
        """Skips a string of any of the four kinds; its text, good enough for a key."""
        quote = self.text[self.at]
        long = self.text.startswith(quote * 3, self.at)
        body = r"(?:\\.|[^\\])*?" if quote == '"' else r".*?"
        ends = quote * 3 + f"{quote}{{0,2}}(?!{quote})" if long else quote
        inside = re.compile(f"{quote * (3 if long else 1)}({body}){ends}", re.DOTALL).match(
            self.text, self.at
        )
        if not inside:
            raise ValueError(self.at)
        self.at = inside.end()
        return inside[1] if "\\" not in inside[1] or quote == "'" else _unescaped(inside[1])


def _unescaped(text: str) -> str:
    import json  # a quoted key with an escape in it, in a faulty file

    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text
