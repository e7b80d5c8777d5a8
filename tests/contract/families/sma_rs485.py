"""What the contract tests need to know of Sunny Boys on RS485; expectations typed from the sheet (§5, §7, §13, §15)."""

from pv_exec.wire.crc import crc16_x25

AT = 1782036000.0
"""2026-06-21 10:00 UTC: the sun stands high over the simulated roof."""

INVERTERS = [2000123456, 2000234567, 2000345678]
SPEC = "2000123456:WR20-004,2000234567:WR20-004,2000345678:WR33-008"
KEYS: dict[str, object] = {}
"""Keys of [[bus]] with which a run asks everything it ever asks."""

LIVE_ONLY: dict[str, object] = {}
"""Keys of [[bus]] with which a run asks the least."""

PLANTS = {
    "one": ([2000123456], "2000123456:WR20-004", {}),
    "three": (INVERTERS, SPEC, {}),
    "unlike": ([2000345678, 2000456789], "2000345678:WR33-008,2000456789:TL20", {"channels": "all"}),
}
"""Name → inverters, what the simulator is told, keys of [[bus]]."""

SILENT_TRIES = 2
"""The issue: SMA once more."""

HEALS_IN = 31
"""Runs that may pass after a fault until all is well again: one is looked for every ten minutes, and three may be lost."""

OF_THE_LINE = {"foreign-master", "same-address"}
"""Faults of our own that hit more than one inverter of the line."""

UNPROTECTED: dict[str, float] = {}
GUESSED: set[str] = set()
"""A CRC covers all of it."""

FIRST, SECOND, LAST = (str(serial) for serial in INVERTERS)
OK, SILENT, CORRUPT, STALE = {"ok"}, {"silent"}, {"corrupt"}, {"stale_list"}


def _all(states: set[str]) -> dict[str, set[str]]:
    return {str(serial): states for serial in INVERTERS}


SPOILT = {"ok", "corrupt", "silent", "stale_list", "timeout"}

EXPECTED = {
    "dark": {LAST: SILENT},
    "lost": _all({"ok", "silent"}),
    "wrong-sum": _all(CORRUPT),
    "no-start": {},
    "no-stop": {},
    "shared-flag": {},
    "preamble": {},
    "collision": {},
    "search-late": {},
    "twin": {FIRST: {"ok", "corrupt", "address_conflict", "silent"}},
    "same-address": {FIRST: {"ok", "corrupt", "address_conflict"}, LAST: {"ok", "silent"}},
    "moved": {LAST: {"ok", "silent"}},
    "swapped": {},
    "exchanged": {FIRST: STALE},
    "forgetful": {},
    "other-list": _all(STALE),
    "no-cinfo": {},
    "wrong-time": _all(CORRUPT),
    "all-ones": {},
    "zeros": {},
    "foreign-master": _all(SPOILT),
    "night": _all(SILENT),
    "echo": {},
    "inverted-echo": {},
    "echo-only": _all(SILENT),
    "nul": {},
    "noise-before": {},
    "noise-after": _all({"ok", "corrupt", "silent"}),
    "babble": _all({"silent", "corrupt", "timeout"}),
    "truncate": _all(CORRUPT),
    "drop": _all(SPOILT),
    "flip": _all(SPOILT),
    "slow": _all({"silent", "corrupt", "ok", "timeout"}),
    "late": _all({"ok", "corrupt", "silent"}),
    "hang-up": _all({"port_missing"}),
    "chunks": {},
}
"""Fault with its default → inverter → states it may have; inverters that are not there must be ok."""

TRUTHS = {
    "zeros": [{"zeros": ""}],
    "all-ones": [{"all-ones": ""}],
}
"""Faults that change what the inverter has to say → plants that really have what it then says."""

HEAD = b"\x7e\xff\x03\x40\x41"
COMMANDS = {0x02, 0x03, 0x0A, 0x0B}
"""What a run may send: SEARCH_DEV, CFG_NETADR for a configured serial number, SYN_ONLINE, GET_DATA."""


def allowed(request: bytes, spec: str) -> bool:
    """Whether a run may ever send this. Unstuffed by hand, so that our own codec has no say."""
    body = bytearray()
    escaped = False
    for byte in request[1:-1]:
        if byte == 0x7D:
            escaped = True
            continue
        body.append(byte ^ 0x20 if escaped else byte)
        escaped = False
    if not request.startswith(HEAD) or request[-1:] != b"\x7e" or body[10] not in COMMANDS:
        return False
    if body[10] in {0x02, 0x03}:
        serial = int.from_bytes(body[11:15], "little")
        return str(serial) in spec
    return True


def answered(request: bytes) -> bool:
    """Whether this is answered at all: SYN_ONLINE never is."""
    return request[11:12] != b"\x0a"


def misplaced(sent: list[bytes]) -> bool:
    """Whether values were asked for before they were frozen."""
    commands = [request[11] if request[11] != 0x7D else request[12] ^ 0x20 for request in sent]
    return bool(commands) and commands[0] != 0x0A


def could_be(field: str, value: float, true: set[float], seconds: float) -> bool:
    """Nothing here is unprotected."""
    return False


def protected(answer: bytes) -> bool:
    """Whether a checksum covers this answer: all of them."""
    return True


def fooled(answer: bytes, said: bytes) -> bool:
    """Whether a reader that looks at nothing but the checksum takes what was said for the answer, and other values from it."""
    for piece in said.split(b"\x7e"):
        body = bytearray()
        escaped = False
        for byte in piece:
            if byte == 0x7D and not escaped:
                escaped = True
                continue
            body.append(byte ^ 0x20 if escaped else byte)
            escaped = False
        good = len(body) > 13 and crc16_x25(bytes(body[:-2])) == int.from_bytes(body[-2:], "little")
        if good and piece not in answer:
            return True
    return False
