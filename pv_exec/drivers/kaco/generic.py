"""The generic protocol (`n`): TL3, TR3, newer XP, blueplanet; told by the number of elements, both directions."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple, cast

from pv_exec.box.errors import Corrupt
from pv_exec.drivers.kaco import checks
from pv_exec.drivers.kaco.frame import Frame, checked_by_crc, line_of, with_crc
from pv_exec.drivers.kaco.messages import Generic, Phase, String

_FORMATS = {
    "U": r"-?(?:0|[1-9][0-9]{0,3})\.[0-9]",
    "I": r"-?(?:0|[1-9][0-9]{0,3})\.[0-9]{2}",
    "P": r"-?(?:0|[1-9][0-9]{0,6})",
    "A": r"-?(?:0|[1-9][0-9]{0,6})\.[0-9]",
    "C": r"[01]\.[0-9]{3}[ico]?",
    "F": r"(?:0|[1-9][0-9])\.[0-9]{1,3}",
    "T": r"-?(?:0|[1-9][0-9]{0,2})\.[0-9]",
    "E": r"0|[1-9][0-9]{0,7}",
}
"""U V, I A, P and A (PAC with a decimal) W, C cos φ with or without suffix, F Hz, T °C, E Wh."""


class Layout(NamedTuple):
    strings: int
    with_power: bool
    fields: str


def _layout(strings: int, *, with_power: bool, ac: str) -> Layout:
    return Layout(strings, with_power, ("UIP" if with_power else "UI") * strings + "UI" * 3 + ac)


LAYOUTS = {
    16: _layout(1, with_power=False, ac="PPCTE"),
    17: _layout(1, with_power=False, ac="PAFCTE"),
    20: _layout(2, with_power=True, ac="PPCTE"),
    23: _layout(3, with_power=True, ac="PPCTE"),
}
"""Payload by NOE, never by type code: type tables in the wild are wrong (AN, KRTU, CAP; 17: WIO alone)."""

_WITHOUT_ENERGY = (11,)
"""Powador-protect: eight values nobody has explained, of which only the status was ever used (JAVA)."""

_GENERIC_START = r"\*[0-9]{2}n ([0-9]{1,2}) ([0-9A-Za-z]{1,12}) ([0-9]{1,3})((?: .*)?)"


def generic(data: bytes, ended: bool) -> Frame | None:
    """NOE, TYP, STA, then the layout that NOE tells; CRC over everything from `*` to the space before it."""
    if (line := line_of(data, ended)) is None:
        return None
    text = checked_by_crc(line)
    start = re.fullmatch(_GENERIC_START, text)
    if not start:
        raise Corrupt(f"the fields are not at their places: {text}")
    elements, tokens = int(start[1]), start[4].split()
    if elements != 3 + len(tokens):
        raise Corrupt(f"{elements} elements announced, {3 + len(tokens)} came")
    address, kind, status = int(line[1:3]), start[2], int(start[3])
    layout = LAYOUTS.get(elements)
    if layout is None:
        last = tokens[-1] if tokens and elements not in _WITHOUT_ENERGY else ""
        energy = int(last) if re.fullmatch(_FORMATS["E"], last) else None
        answer = Generic(address, elements, kind, status, energy_today=energy, tokens=tuple(tokens))
        return Frame(answer, len(line) + 2)
    answer = _by_layout(layout, Generic(address, elements, kind, status), tokens)
    _expect_columns(layout, start[4])
    if reason := checks.generic(answer):
        raise Corrupt(reason)
    return Frame(answer, len(line) + 2)


def _by_layout(layout: Layout, start: Generic, tokens: Sequence[str]) -> Generic:
    for field, token in zip(layout.fields, tokens, strict=True):
        if not re.fullmatch(_FORMATS[field], token):
            raise Corrupt(f"{token!r} where {_FIELD_NAMES[field]} belongs")
    each = 3 if layout.with_power else 2
    dc, rest = tokens[: each * layout.strings], tokens[each * layout.strings :]
    values = dict(zip(layout.fields[len(dc) + 6 :], rest[6:], strict=True))
    # "P" is there twice (PDC, PAC) except with 17 elements; the dictionary keeps the last.
    cos_phi = values["C"]
    sign = cos_phi[5:]
    return start._replace(
        strings=tuple(
            String(float(dc[n]), float(dc[n + 1]), int(dc[n + 2]) if layout.with_power else None)
            for n in range(0, len(dc), each)
        ),
        phases=tuple(Phase(float(rest[n]), float(rest[n + 1])) for n in (0, 2, 4)),
        p_dc=int(rest[6]),
        p_ac=float(values["A"]) if "A" in values else int(values["P"]),
        cos_phi=float(cos_phi[:5]),
        cos_phi_sign=cast("Literal['', 'i', 'c', 'o']", sign),
        frequency=float(values["F"]) if "F" in values else None,
        temperature=float(values["T"]),
        energy_today=int(values["E"]),
    )


_FIELD = r" ( *)(\S+)"


def _expect_columns(layout: Layout, payload: str) -> None:
    """Voltages are as wide as each other, and so are currents: padded to one width, or longer and not padded.

    U is 6 wide and I is 5 on every unit seen (22 frames), but no source says so for an XP: only likeness is asked for.
    """
    fields = re.findall(_FIELD, payload)
    for kind in "UI":
        padded = [
            (len(pad) + len(text), len(pad))
            for field, (pad, text) in zip(layout.fields, fields, strict=True)
            if field == kind
        ]
        width = min(padded)[0]
        if any(long > width and pad for long, pad in padded):
            raise Corrupt(f"the fields are not at their places:{payload}")


_FIELD_NAMES = {
    "U": "a voltage",
    "I": "a current",
    "P": "a power",
    "A": "a power",
    "C": "cos φ",
    "F": "a frequency",
    "T": "the temperature",
    "E": "the energy of today",
}


def encode_generic(g: Generic) -> bytes:
    """By layout where the elements have one, else from the tokens as they are."""
    layout = LAYOUTS.get(g.elements)
    if layout is None:
        payload = list(g.tokens)
    else:
        payload = []
        for s in g.strings:
            payload += [f"{s.u:6.1f}", f"{s.i:5.2f}"] + ([f"{s.p:5d}"] if layout.with_power else [])
        for phase in g.phases:
            payload += [f"{phase.u:6.1f}", f"{phase.i:5.2f}"]
        payload.append(f"{g.p_dc:5d}")
        payload += [f"{g.p_ac:7.1f}", f"{g.frequency:5.2f}"] if "F" in layout.fields else [f"{g.p_ac:5d}"]
        payload += [f"{g.cos_phi:.3f}{g.cos_phi_sign}", f"{g.temperature:5.1f}", f"{g.energy_today:6d}"]
    if g.elements != 3 + sum(len(item.split()) for item in payload):
        raise ValueError(f"{len(payload)} values in an answer of {g.elements} elements")
    return with_crc(" ".join([f"*{g.address:02d}n", str(g.elements), g.type, str(g.status), *payload, ""]))
