"""What can be taken over from a YASDI set-up: the settings in its yasdi.ini. Its channel lists: `channels.kept`.

Source: YASDI (its sample files, the serial driver).
"""

from typing import NamedTuple

from pv_exec.drivers.sma_rs485.messages import FRAMINGS, Framing

BAUDRATES = (110, 150, 300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600)
_MISSING, _UNKNOWN = 19200, 1200
"""What YASDI's serial driver takes when the key is not there, and for a number it does not know."""


class Port(NamedTuple):
    """A [COMn] section."""

    section: str
    device: str
    media: str
    """RS485, RS232 or Powerline, as written; empty if not said."""
    baudrate: int
    framings: tuple[Framing, ...]
    """In YASDI's order; empty if not said."""


class Settings(NamedTuple):
    """What a yasdi.ini says that is of use here."""

    ports: tuple[Port, ...]
    master: int = 0
    """Our own network address."""
    addresses: tuple[int, int] | None = None
    """Lowest and highest address given to a device."""
    wait: float | None = None
    """Seconds from SYN_ONLINE to the first GET_DATA."""
    detection: float | None = None
    """Seconds of silence that end a round of detection."""
    lists: str = ""
    """Directory of the channel lists; empty: `devices` beside YASDI's working directory."""
    doubts: tuple[str, ...] = ()
    """A sentence for each value that could not be understood."""


def read_ini(text: str) -> Settings:
    """The settings in a yasdi.ini; never raises. Section and key names in any case, as Windows wrote them."""
    sections = _sections(text)
    doubts: list[str] = []
    master = sections.get("master", {})
    misc = sections.get("misc", {})
    ports = tuple(_port(name, keys, doubts) for name, keys in sections.items() if _is_port(name))
    low = _number(master, "deviceaddrrangelow", doubts)
    high = _number(master, "deviceaddrrangehigh", doubts)
    return Settings(
        ports,
        int(_number(master, "netaddress", doubts) or 0),
        (int(low or 1), int(high or 255)) if low is not None or high is not None else None,
        _number(master, "waitaftersynconline", doubts),
        _number(master, "detectiontimeout", doubts),
        misc.get("channellistdir", ""),
        tuple(doubts),
    )


def _sections(text: str) -> dict[str, dict[str, str]]:
    sections: dict[str, dict[str, str]] = {}
    keys: dict[str, str] = {}
    for raw in text.removeprefix("\ufeff").splitlines():
        line = raw.strip()
        if line.startswith("[") and "]" in line:
            keys = sections.setdefault(line[1 : line.index("]")].strip().lower(), {})
        elif "=" in line and line[0] not in ";#":
            key, _, value = line.partition("=")
            for comment in (" ;", "\t;", " #", "\t#"):
                value = value.split(comment, 1)[0]
            keys[key.strip().lower()] = value.strip().strip('"')
    return sections


def _is_port(section: str) -> bool:
    return section.startswith("com") and section[3:].isdecimal()


def _port(section: str, keys: dict[str, str], doubts: list[str]) -> Port:
    baudrate = _MISSING
    if "baudrate" in keys:
        number = _number(keys, "baudrate", doubts)
        baudrate = int(number) if number in BAUDRATES else _UNKNOWN
    framings: list[Framing] = []
    for word in filter(None, (w.strip() for w in keys.get("protocol", "").split(","))):
        framing = next((f for f in FRAMINGS if f == word.lower()), None)
        if framing is None:
            doubts.append(f"Protocol={word} in [{section}] is neither SMANet nor SunnyNet")
        elif framing not in framings:
            framings.append(framing)
    return Port(section, keys.get("device", ""), keys.get("media", ""), baudrate, tuple(framings))


def _number(keys: dict[str, str], key: str, doubts: list[str]) -> float | None:
    text = keys.get(key, "")
    if not text:
        return None
    try:
        number = int(text, 0) if text.lower().startswith("0x") else float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 0xFFFFFF:
        doubts.append(f"{key}={text} is no number that can be meant")
        return None
    return number
