"""What the contract tests need to know of the Kaco family; expectations typed from the sheet (§11, §13, §15, §16)."""

import re

from pv_exec.drivers.kaco.checks import sum_of
from pv_exec.wire.crc import crc16_x25

AT = 1782036000.0
"""2026-06-21 10:00 UTC: the sun stands high over the simulated roof."""

INVERTERS = [1, 2, 3]
SPEC = "1:8000xi,2:3x10k,3:390TL"
KEYS = {"totals": "always"}
"""Keys of [[bus]] with which a run asks everything it ever asks."""

LIVE_ONLY = {"totals": "never"}
"""Keys of [[bus]] with which a run asks the least."""

PLANTS = {
    "one": ([1], "1:8000xi", {"totals": "in turn"}),
    "three": (INVERTERS, SPEC, KEYS),
    "string": ([4, 5, 6, 32], "4:6400xi,5:9600I,6:086L32,32:2002DE", {"totals": "in turn"}),
    "large": ([1, 2, 3, 4], "1:50kH3P,2:87L32:noe=17,3:100k,4:200kTL:family=xp", {"totals": "always"}),
    "odd": ([7, 8], "7:protect,8:180TR", {"totals": "never"}),
}
"""Name → inverters, what the simulator is told, keys of [[bus]]."""

SILENT_TRIES = 1
"""KSER: none on silence; the vendor's logger does the same."""

HEALS_IN = 0
"""Runs that may pass after a fault until all is well again."""

OF_THE_LINE: set[str] = set()
"""Faults of our own that hit every inverter of the line."""

UNPROTECTED = {"energy_total_wh": 1000.0, "operating_time_h": 1 / 60}
"""Fields of command 3, which has no checksum → what one count is at the most. Two replies must agree, and that is all."""

GUESSED = {"model"}
"""Family 00: the type stands behind the sum, and nothing covers it."""

OK, SILENT, CORRUPT = {"ok"}, {"silent"}, {"corrupt"}


def _all(states: set[str]) -> dict[str, set[str]]:
    return {str(address): states for address in INVERTERS}


EXPECTED = {
    "dark": {"3": SILENT},
    "status15": _all({"ok", "silent"}),  # after two minutes it drops off the bus (KSER's timeline)
    "checksum": {},
    "wrong-sum": _all(CORRUPT),
    "digit-flip": _all(CORRUPT),
    "foreign": _all(CORRUPT),
    "twin": {"1": {"address_conflict", "corrupt"}},
    "no-type": {},
    "no-cr": {
        "2": CORRUPT,
        "3": CORRUPT,
    },  # 58 bytes of a family 00 are whole, and its type may be missing (SCHU)
    "status": {},
    "cosphi": {},
    "totals": {},
    "no-totals": {},
    "total-reset": {},
    "stale-day": {},
    "night": _all(SILENT),
    "echo": {},
    "inverted-echo": {},
    "echo-only": _all(SILENT),
    "nul": {},
    "noise-before": {},
    "noise-after": {},
    "babble": _all({"silent", "corrupt", "timeout"}),
    "truncate": _all(CORRUPT),
    "drop": _all({"ok", "corrupt", "silent", "timeout"}),
    "flip": _all({"ok", "corrupt", "silent", "timeout"}),
    "slow": _all(
        {"silent", "corrupt", "ok", "timeout"}
    ),  # ok: a 000xi's late answer is that of the question again
    "late": {},
    "hang-up": _all({"port_missing"}),
    "chunks": {},
}
"""Fault with its default → inverter → states it may have; inverters that are not there must be ok."""

TRUTHS = {
    "status15": [{"status15": "100000"}],
    "checksum": [{"checksum": ""}],
    "status": [{"status": ""}],
    "cosphi": [{"cosphi": ""}],
    "totals": [{"totals": ""}],
    "total-reset": [{"total-reset": "0"}],
    "stale-day": [{"stale-day": ""}],
}
"""Faults that change what the inverter has to say → plants that really have what it then says."""

_REQUEST = re.compile(rb"#(0[1-9]|[12][0-9]|3[0-2])([0-389s])\r")


def allowed(request: bytes, spec: str) -> bool:
    """Whether a reader may ever send this: commands 0–3, 8, 9, s; 3 to a 000xi means its third part, never its totals."""
    match = _REQUEST.fullmatch(request)
    if not match:
        return False
    kinds = {int(one.split(":")[0]): one.split(":")[1] for one in spec.split(",")}
    trio = kinds.get(int(match[1]), "").startswith("3x")
    return trio or match[2] not in b"12"


def answered(request: bytes) -> bool:
    """Whether this is answered at all: every question is."""
    return True


def misplaced(sent: list[bytes]) -> bool:
    """Whether a 3 went to a 000xi without the 1 and the 2 that make it ask for the third part."""
    trios = {request[1:3] for request in sent if request[3:4] == b"1"}
    for address in trios:
        asked = [request[3:4] for request in sent if request[1:3] == address]
        if b"".join(dict.fromkeys(asked)) not in (b"01", b"012", b"0123"):
            return True
    return False


def could_be(field: str, value: float, true: set[float], seconds: float) -> bool:
    """Whether an unprotected counter may say so: no further up than the largest unit here feeds in the time it was watched."""
    hourly = 1.0 if field == "operating_time_h" else 350e3
    return any(0 <= value - one <= hourly * seconds / 3600 + 2 * UNPROTECTED[field] for one in true)


def protected(answer: bytes) -> bool:
    """Whether a checksum covers this answer."""
    return answer[1:2] == b"*" and (answer[4:5] != b"3" or b":" not in answer)


def fooled(answer: bytes, said: bytes) -> bool:
    """Whether a reader that looks at nothing but the checksum takes what was said for the answer, and other values from it."""
    if said[:2] != b"\n*" or not protected(answer):
        return False
    if said[4:5] == b"n":
        body, _, crc = said[1:].partition(b"\r")[0].rpartition(b" ")
        return crc == b"%04X" % crc16_x25(body + b" ") and answer[: len(body) + 1] != said[: len(body) + 1]
    for at in (57, 58, 61):  # families 00, 000xi and XP narrow, XP wide
        if (
            at < len(said)
            and said[4:5] in b"0123"
            and sum_of(said[1:at]) == said[at]
            and said[at - 1 : at] == b" "
        ):
            return answer[:at] != said[:at]
    return False
