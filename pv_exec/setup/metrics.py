"""The metrics section of telegraf/README.md, written out of the vocabulary: python -m pv_exec.setup.metrics FILE renews it."""

import sys

from pv_exec.model import STATES
from pv_exec.quantities import COMMON, MEASUREMENTS, Quantity

UNITS = {
    "w": "W",
    "var": "var",
    "va": "VA",
    "hz": "Hz",
    "v": "V",
    "a": "A",
    "wh": "Wh",
    "h": "h",
    "c": "°C",
    "ohm": "Ω",
    "s": "s",
    "percent": "%",
}
"""Unit by the last part of a field's name."""

TAGS = {
    "bus": "name of the line in the configuration",
    "driver": "family of its inverters",
    "host": "name of the box",
    "inverter": "name of the inverter, without one its address or serial number",
    "site": "name of the site, where one is configured",
}

BEGIN, END = "<!-- pv_exec.setup.metrics -->", "<!-- end of pv_exec.setup.metrics -->"

WHAT = {
    "pv_inverter": "What an inverter measured, in every run in which it answered. Only what it said is in it.",
    "pv_read": "What became of an inverter, in every run, also when it was silent.",
    "pv_event": "Something that happened once.",
}


def render() -> str:
    """Every measurement with its tags and fields, each field with type, unit and meaning, as Markdown."""
    lines = [
        "`#` stands for a number from 1: of a phase (at most 3) or of a direct-current input. A measured value is a float, a",
        "code or a count an integer, and no field ever changes its type. Each line has the tags of `[site]` besides.",
    ]
    for name, fields in MEASUREMENTS.items():
        lines += ["", f"- {name}: {WHAT[name]}", "  - tags:"]
        lines += [f"    - {tag} ({text})" for tag, text in TAGS.items()]
        lines += ["  - fields:", *(_field(*each) for each in fields.items() if each[0] not in COMMON)]
        lines += [_field(*each) for each in COMMON.items()]
    lines += ["", "`state`, and `state_code` in parentheses:", ""]
    lines += [", ".join(f"`{state}` ({code})" for state, code in STATES.items()) + "."]
    lines += [
        "",
        "While the clock of the box is not trusted, lines go out as `pv_inverter_unsynced`, `pv_read_unsynced` and",
    ]
    lines += ["`pv_event_unsynced`, with a further tag `boot`: a wrong time never overwrites a right one."]
    return "\n".join(lines)


def _field(name: str, quantity: Quantity) -> str:
    kind = {float: "float", int: "integer", str: "string", bool: "boolean"}[quantity.kind]
    measured = UNITS.get(name.rpartition("_")[2], "") if quantity.kind is float else ""
    return f"    - {name} ({', '.join(filter(None, (kind, measured)))}): {quantity.text}"


def renewed(text: str) -> str:
    """A README with this section as it is now. Raises ValueError where its marks are missing."""
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    return f"{head}{BEGIN}\n{render()}\n{END}{tail}"


def main() -> None:
    """Renew the section in the files named."""
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            text = renewed(file.read())
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
