"""The lines as a table for a person: one row per inverter, the values that matter most, then what was wrong."""

import time
from collections.abc import Mapping

from pv_exec.model import Line
from pv_exec.quantities import Value

COLUMNS = (
    ("AC W", "ac_power_w", "{:.0f}"),
    ("today kWh", "energy_today_wh", "{:.2f}"),
    ("total kWh", "energy_total_wh", "{:.0f}"),
    ("°C", "temperature_c", "{:.0f}"),
    ("status", "status", "{}"),
    ("model", "model", "{}"),
)
KILO = ("energy_today_wh", "energy_total_wh")

Key = tuple[str, str]


def render(lines: list[Line]) -> str:
    """A heading, a row per inverter, its inputs and phases below it, and a remark for each that is not well."""
    values: dict[Key, Mapping[str, Value]] = {}
    health: dict[Key, Line] = {}
    events: list[Line] = []
    for line in lines:
        key = (line.tags["bus"], line.tags["inverter"])
        kind = line.measurement.removesuffix("_unsynced")
        if kind == "pv_inverter":
            values[key] = line.fields
        elif kind == "pv_read":
            health[key] = line
        else:
            events.append(line)
    rows = [("bus", "inverter", "state", *(title for title, _, _ in COLUMNS))]
    for key, line in health.items():
        mine = values.get(key, {})
        rows.append(
            (*key, str(line.fields["state"]), *(_cell(mine, name, form) for _, name, form in COLUMNS))
        )
    text = _aligned(rows)
    for key, line in health.items():
        text += _details(key, values.get(key, {}))
        for word in ("error", "dropped"):
            if word in line.fields:
                text += f"{key[0]}/{key[1]}: {word}: {line.fields[word]}\n"
    for line in events:
        text += f"{line.tags['bus']}/{line.tags['inverter']}: {line.fields['kind']}: {line.fields['text']}\n"
    if lines:
        stamp = lines[0].stamp
        trust = "" if stamp.trusted else ", by a clock that is not trusted"
        text += f"{time.strftime('%Y-%m-%d %H:%M:%S %z', time.localtime(stamp.seconds))}{trust}\n"
    return text


def _cell(values: Mapping[str, Value], name: str, form: str) -> str:
    if name not in values:
        return "–"
    value = values[name]
    return form.format(float(value) / 1000 if name in KILO else value)


def _details(key: Key, values: Mapping[str, Value]) -> str:
    parts = []
    for head, low in (("dc", "DC"), ("ac_l", "L")):
        for n in range(1, 10):
            found = [
                f"{values[name]:g} {unit}"
                for quantity, unit in (("voltage_v", "V"), ("current_a", "A"), ("power_w", "W"))
                if (name := f"{head}{n}_{quantity}") in values
            ]
            if found:
                parts.append(f"{low}{n} {' '.join(found)}")
    return f"{key[0]}/{key[1]}: {' · '.join(parts)}\n" if parts else ""


def _aligned(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    numeric = range(3, 7)
    return "".join(
        "  ".join(
            cell.rjust(width) if at in numeric else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        + "\n"
        for row in rows
    )
