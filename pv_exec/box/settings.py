"""A TOML table into a NamedTuple, whose names, annotations and defaults are the schema, the sample and the manual.

No validation library: start-up is part of the product, and this costs less than importing any of them. A module that
declares such a NamedTuple must not use `from __future__ import annotations`: the annotations are read as objects.
"""

import math
import re
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

from pv_exec.box import toml
from pv_exec.box.toml import Path, locate, seconds, size

__all__ = [
    "SECRET",
    "Duration",
    "Fault",
    "Path",
    "Range",
    "Size",
    "Taken",
    "Text",
    "Unit",
    "called",
    "effective",
    "locate",
    "sample",
    "seconds",
    "size",
    "take",
]

T = TypeVar("T")


class Text(NamedTuple):
    """What a key means, for the sample and the manual, and an example where the default says nothing."""

    sentence: str
    example: Any = None


class Range(NamedTuple):
    """Least and greatest value allowed, both included; None is no limit."""

    lo: float | None = None
    hi: float | None = None


class Unit(NamedTuple):
    """How a value is written; see Duration, Size and SECRET."""

    kind: str


SECRET = Unit("secret")
"""`Annotated[str, SECRET]`: the value is shown in no fault and no listing."""
Duration = Annotated[float, Unit("duration")]
"""Seconds, written with a unit: "250ms" "4s" "15m" "1h30m" "30d"."""
Size = Annotated[int, Unit("size")]
"""Bytes, written with a unit: "500MB" (10⁶) or "512MiB" (2²⁰)."""


class Fault(NamedTuple):
    """One thing wrong in a table; str() says it in a line."""

    path: Path
    found: str
    allowed: str
    hint: str = ""
    kind: str = "value"
    """value, missing, or unknown (a key nobody knows; only a warning to a running program)."""

    def __str__(self) -> str:
        said = {"missing": "missing", "unknown": "unknown key"}.get(self.kind, f"found {self.found}")
        allowed = f", allowed {self.allowed}" if self.allowed else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{called(self.path)}: {said}{allowed}{hint}"


class Taken(NamedTuple, Generic[T]):
    """What became of a table; `value` is None when a fault other than an unknown key stands in the way."""

    value: T | None
    faults: tuple[Fault, ...]


def called(path: Path) -> str:
    """The key as a person knows it: the last name, and which item of it ("targets, item 2"); the tables around it are the line's job."""
    items = ""
    for part in reversed(path):
        if isinstance(part, str):
            return part + items
        items = f", item {part + 1}{items}"
    return "the file" + items


def take(
    cls: Callable[..., T], table: Mapping[str, Any], where: Path = (), *, also: Iterable[str] = ()
) -> Taken[T]:
    """Turns a table into a `cls` (a NamedTuple class) and collects every fault.

    `where` is the path of the table; `also` are keys that someone else takes: they are no keys here, but may be what an
    unknown one was meant to be. A field name that would be a Python keyword ends in `_` (`for_` is the key `for`).
    """
    schema: Any = cls
    keys = {field.rstrip("_"): field for field in schema._fields}
    faults = [_unknown((*where, key), [*keys, *also]) for key in table if key not in keys]
    values: dict[str, Any] = {}
    for key, field in keys.items():
        annotation = schema.__annotations__[field]
        if key in table:
            values[field] = _value(annotation, table[key], (*where, key), faults)
        elif field not in schema._field_defaults:
            faults.append(Fault((*where, key), "nothing", _allowed(annotation), kind="missing"))
    if any(fault.kind != "unknown" for fault in faults):
        return Taken(None, tuple(faults))
    return Taken(cls(**values), tuple(faults))


def _value(annotation: Any, found: Any, path: Path, faults: list[Fault]) -> Any:
    """The value as annotated; on a fault anything, and the fault is in `faults`."""
    plain, marks = _opened(annotation)
    origin = get_origin(plain)
    if plain is Any:
        return found
    if origin in (Union, types.UnionType):
        return _one_of(annotation, found, path, faults)
    if origin is tuple and isinstance(found, list):
        item = get_args(plain)[0]
        return tuple(_value(item, each, (*path, n), faults) for n, each in enumerate(found))
    if origin in (dict, Mapping) and isinstance(found, dict):
        item = get_args(plain)[1]
        return {key: _value(item, each, (*path, key), faults) for key, each in found.items()}
    if hasattr(plain, "_fields") and isinstance(found, dict):
        taken = take(plain, found, path)
        faults.extend(taken.faults)
        return taken.value
    value = _scalar(plain, marks, found)
    if value is None or not _within(value, marks):
        hint = _hint(plain, marks, found)
        faults.append(Fault(path, _shown(found, secret=SECRET in marks), _allowed(annotation), hint))
    return value


def _one_of(annotation: Any, found: Any, path: Path, faults: list[Fault]) -> Any:
    """The first member of a union that takes `found`; a table or array that only one member could be keeps its own faults."""
    plain, marks = _opened(annotation)
    near: list[list[Fault]] = []
    for member in get_args(plain):
        if member is not types.NoneType:
            own: list[Fault] = []
            value = _value(_closed(member, marks), found, path, own)
            if all(fault.kind == "unknown" for fault in own):
                faults.extend(own)
                return value
            if any(fault.path != path for fault in own):
                near.append(own)
    if len(near) == 1:
        faults.extend(near[0])
    else:
        hints = (_hint(*_opened(_closed(member, marks)), found) for member in get_args(plain))
        hint = next(filter(None, hints), "")
        faults.append(Fault(path, _shown(found, secret=SECRET in marks), _allowed(annotation), hint))
    return None


def _opened(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """The bare type and the marks of an Annotated."""
    if hasattr(annotation, "__metadata__"):
        return annotation.__origin__, annotation.__metadata__
    return annotation, ()


def _closed(member: Any, marks: tuple[Any, ...]) -> Any:
    """A member of a union with the union's marks: `Annotated[Duration | None, Range(1, 9)]` limits the duration."""
    inner, own = _opened(member)
    marks = (*own, *(mark for mark in marks if not isinstance(mark, Text)))
    return Annotated[(inner, *marks)] if marks else inner


def _kind(marks: tuple[Any, ...]) -> str:
    return next((mark.kind for mark in marks if isinstance(mark, Unit) and mark is not SECRET), "")


def _scalar(plain: Any, marks: tuple[Any, ...], found: Any) -> Any:
    """The value, or None if it is not one of this type. A bool is no int; an int is fine where a float is wanted."""
    kind = _kind(marks)
    if kind:
        read = seconds if kind == "duration" else size
        return read(found) if isinstance(found, str) else None
    if get_origin(plain) is Literal:
        return found if any(found == each and type(found) is type(each) for each in get_args(plain)) else None
    if plain is float and type(found) in (int, float):
        try:
            value = float(found)
        except OverflowError:  # TOML integers have no bound in Python
            return None
        return value if math.isfinite(value) else None
    return found if plain in (str, int, bool) and type(found) is plain else None


def _within(value: Any, marks: tuple[Any, ...]) -> bool:
    return isinstance(value, str) or all(
        (mark.lo is None or value >= mark.lo) and (mark.hi is None or value <= mark.hi)
        for mark in marks
        if isinstance(mark, Range)
    )


def _allowed(annotation: Any) -> str:
    """What may stand there, in words."""
    plain, marks = _opened(annotation)
    origin, arguments = get_origin(plain), get_args(plain)
    if origin in (Union, types.UnionType):
        words = [_allowed(_closed(each, marks)) for each in arguments if each is not types.NoneType]
    elif origin is Literal:
        words = [toml.written(each) for each in arguments]
    else:
        return _allowed_plain(plain, marks) + _allowed_range(marks)
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _allowed_plain(plain: Any, marks: tuple[Any, ...]) -> str:
    origin, kind = get_origin(plain), _kind(marks)
    if kind:
        return {"duration": 'a duration in quotes such as "4s"', "size": 'a size in quotes such as "500MB"'}[
            kind
        ]
    if origin is tuple:
        return f"an array, each item {_allowed(get_args(plain)[0])}"
    if origin in (dict, Mapping):
        return f"a table, each value {_allowed(get_args(plain)[1])}"
    if plain is str:
        example = next(
            (mark.example for mark in marks if isinstance(mark, Text) and isinstance(mark.example, str)), ""
        )
        return "a string in quotes" + (f" such as {toml.written(example)}" if example else "")
    return {int: "an integer", float: "a number", bool: "true or false"}.get(plain, "a table")


def _allowed_range(marks: tuple[Any, ...]) -> str:
    for mark in marks:
        if isinstance(mark, Range):
            lo, hi = (
                None if limit is None else toml.written(limit, _kind(marks)).strip('"') for limit in mark
            )
            if lo is not None and hi is not None:
                return f" from {lo} to {hi}"
            return f", at least {lo}" if lo is not None else f", at most {hi}" if hi is not None else ""
    return ""


def _shown(found: Any, *, secret: bool = False) -> str:
    """What was found, as it stands in the file, and what that is."""
    name = {
        str: "a string",
        bool: "a boolean",
        int: "an integer",
        float: "a float",
        list: "an array",
        dict: "a table",
    }
    kind = name.get(type(found), "a date or time")
    if secret or isinstance(found, list | dict):
        return kind
    text = str(found) if kind == "a date or time" else toml.written(found)
    return kind if len(text) > 60 else text if isinstance(found, bool) else f"{text} ({kind})"


def _hint(plain: Any, marks: tuple[Any, ...], found: Any) -> str:
    """The nearest thing that would be right."""
    if SECRET in marks:
        return "put it in quotes" if type(found) in (int, float) else ""
    if _kind(marks) == "duration" and type(found) in (int, float) and found >= 0:
        return f'for seconds write "{found}s"'
    if _kind(marks) == "size" and type(found) is int and found >= 0:
        return f'for bytes write "{found}B"'
    if _kind(marks) and isinstance(found, str) and re.fullmatch(r"[0-9]+", found):
        return f'it needs a unit, as in "{found}{"s" if _kind(marks) == "duration" else "MB"}"'
    if plain in (int, float) and isinstance(found, str) and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", found):
        return "write it without quotes"
    if plain is bool and found in ("true", "false"):
        return "write it without quotes"
    if plain is str and type(found) in (int, float):
        return f'write "{found}"'
    if get_origin(plain) is Literal and isinstance(found, str):
        return _nearest(found, [each for each in get_args(plain) if isinstance(each, str)])
    return ""


def _unknown(path: Path, keys: list[str]) -> Fault:
    return Fault(
        path, "", "", _nearest(str(path[-1]), keys) or f"known: {', '.join(sorted(set(keys)))}", "unknown"
    )


def _nearest(found: str, words: list[str]) -> str:
    import difflib  # costs 5 ms, and most configurations have no fault

    lowered = {word.lower(): word for word in words}
    near = difflib.get_close_matches(found.lower().replace("-", "_"), lowered, 1)
    return f"did you mean {lowered[near[0]]}?" if near else ""


# --- writing -----------------------------------------------------------------------------------------------------------


def sample(cls: Callable[..., Any], header: str = "") -> list[str]:
    """TOML lines of a schema: `## sentence` above `# key = default`; keys that must be given stand uncommented.

    `header` is the dotted name of the table, "" at the top; a default that is None or "" shows its example.
    """
    schema: Any = cls
    own, tables = [f"[{header}]"] if header else [], []
    for field in schema._fields:
        key, annotation = field.rstrip("_"), schema.__annotations__[field]
        plain, marks = _opened(annotation)
        default = schema._field_defaults.get(field)
        maybe = [each for each in get_args(plain) if hasattr(each, "_fields")]
        text = next((mark for mark in marks if isinstance(mark, Text)), Text(""))
        said = [f"## {line}" for line in text.sentence.splitlines()]
        name = f"{header}.{toml.bare(key)}" if header else toml.bare(key)
        if hasattr(plain, "_fields"):
            tables += ["", *said, *sample(plain, name)]
        elif maybe:  # a table, or tables, that need not be there: everything commented
            title, *body = sample(maybe[0], name)
            title = f"[{title}]" if get_origin(plain) is tuple else title
            tables += [
                "",
                *said,
                f"# {title}",
                *(line if line.startswith("#") or not line else f"# {line}" for line in body),
            ]
        else:
            value = text.example if default in (None, "") else default
            shown = toml.written(_placeholder(annotation) if value is None else value, _kind_of(annotation))
            own += [
                *said,
                f"{toml.bare(key)} = {shown}"
                if field not in schema._field_defaults
                else f"# {toml.bare(key)} = {shown}",
            ]
    return own + tables


def effective(instance: Any, header: str = "") -> list[str]:
    """TOML lines of the values in force, defaults included; what is None has no line, a secret shows as "…"."""
    own, tables = [f"[{header}]"] if header else [], []
    for field, value in zip(instance._fields, instance, strict=True):
        annotation = type(instance).__annotations__[field]
        key = toml.bare(field.rstrip("_"))
        name = f"{header}.{key}" if header else key
        if value is None:
            continue
        if hasattr(value, "_fields"):
            tables += ["", *effective(value, name)]
        elif isinstance(value, tuple) and value and all(hasattr(each, "_fields") for each in value):
            for each in value:
                lines = effective(each, name)
                tables += ["", f"[{lines[0]}]", *lines[1:]]
        else:
            secret = SECRET in _opened(annotation)[1]
            own.append(f"{key} = {toml.written('…' if secret else value, _kind_of(annotation))}")
    return own + tables


def _kind_of(annotation: Any) -> str:
    """The unit, also when it is a member of a union or the item of an array."""
    plain, marks = _opened(annotation)
    return _kind(marks) or next(filter(None, map(_kind_of, get_args(plain))), "")


def _placeholder(annotation: Any) -> Any:
    """A value that would be taken, where neither default nor example says one."""
    plain, marks = _opened(annotation)
    least = next((mark.lo for mark in marks if isinstance(mark, Range)), None)
    if plain in (int, float) and least is not None:
        return plain(least)
    if get_origin(plain) in (Union, types.UnionType):
        return _placeholder(_closed(get_args(plain)[0], marks))
    if get_origin(plain) is Literal:
        return get_args(plain)[0]
    return {str: "", int: 0, float: 0.0, bool: False, dict: {}, Mapping: {}}.get(
        get_origin(plain) or plain, ()
    )
