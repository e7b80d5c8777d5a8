"""Influx line protocol, written so that InfluxDB's and Telegraf's stricter grammar both take every line.

One bad line costs Telegraf the whole run (facts: Telegraf's influx parser gives up at the first), so what cannot be
written is left out here, and never passed on in hope.
"""

import math

from pv_exec.model import Line
from pv_exec.quantities import Value

INT64 = range(-(2**63) + 1, 2**63)
LEAST = 2.2250738585072014e-308
NO_KEYS = ("", "time")
"""Names no tag and no field may have: InfluxDB 1.x answers 400 to the second."""

_NAME = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})
_STRING = str.maketrans({'"': r"\"", "\\": r"\\"})


def encode(line: Line) -> str:
    """One line with its newline, or "" where no field could be written.

    Tags are sorted; an empty tag is none. Numbers that are none (NaN, infinite) and integers beyond 64 bit are left out.
    """
    tags = "".join(
        f",{key.translate(_NAME)}={value.translate(_NAME)}"
        for key, value in sorted({clean(key): clean(value) for key, value in line.tags.items()}.items())
        if value and key not in NO_KEYS
    )
    fields = ",".join(
        f"{key.translate(_NAME)}={text}"
        for key, value in {clean(key): value for key, value in line.fields.items()}.items()
        if key not in NO_KEYS and (text := _value(value)) is not None
    )
    return f"{line.measurement}{tags} {fields} {line.stamp.seconds * 10**9}\n" if fields else ""


def encode_all(lines: "list[Line]") -> str:
    """All lines as one block, to be printed by one write."""
    return "".join(map(encode, lines))


def clean(text: str) -> str:
    """A tag or key as line protocol can hold it: no control character, no backslash, no blank at its ends.

    A trailing backslash cannot be written at all, and Telegraf's parser refuses a lone one anywhere.
    """
    return "".join(char if char.isprintable() and char != "\\" else "_" for char in text).strip()


def _value(value: Value) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}i" if value in INT64 else None
    if isinstance(value, float):
        return _number(value) if math.isfinite(value) else None
    text = "".join(char if char.isprintable() else " " for char in value)
    return f'"{text.translate(_STRING)}"'


def _number(value: float) -> str:
    """Shortest decimal that reads back the same; no exponent where a person would not write one.

    What is too small for a normal float is 0 (and so is -0): line-protocol-parser takes it for an underflow and refuses the line.
    """
    text = repr(value if abs(value) >= LEAST else 0.0)
    return text.removesuffix(".0")
