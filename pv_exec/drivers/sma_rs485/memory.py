"""What a bus of Sunny Boys remembers: who is at which address, their channel lists, and when somebody was last looked for."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pv_exec.box.errors import AnswerError
from pv_exec.conversation import Keep, packed, unpacked
from pv_exec.drivers.sma_rs485 import channels
from pv_exec.drivers.sma_rs485.messages import FRAMINGS, Framing
from pv_exec.wire.crc import crc16_x25


class Known(NamedTuple):
    """One inverter as it was last met."""

    address: int
    type: str
    framing: Framing
    list: str = ""
    """Name under which its channel list is kept; "" where it was never downloaded."""


class Memory:
    """One bus's memory; changes as a conversation goes on and is kept at its end, or as soon as it matters."""

    def __init__(self, kept: Mapping[str, bytes]) -> None:
        """A damaged entry is none: what it said is learned again."""
        self.kept = dict(kept)
        self.units: dict[int, Known] = {}
        for serial, entry in unpacked(kept.get("units", b"")).items():
            try:
                address, kind, framing, name = entry
                if framing in FRAMINGS and 0 < address < 0x10000:
                    self.units[int(serial)] = Known(address, str(kind), framing, str(name))
            except (TypeError, ValueError):
                continue
        self.searched: dict[str, float] = {}
        search = unpacked(kept.get("search", b""))
        self.boot = search.get("boot")
        if isinstance(search.get("at"), dict):
            self.searched = {serial: at for serial, at in search["at"].items() if isinstance(at, int | float)}
        self._lists: dict[str, tuple[channels.Channel, ...]] = {}

    def channels_of(self, serial: int) -> tuple[channels.Channel, ...] | None:
        """The channel list of an inverter, None where it is not learned (or its file is damaged)."""
        known = self.units.get(serial)
        return self.channels(known.list) if known else None

    def channels(self, name: str) -> tuple[channels.Channel, ...] | None:
        """A kept channel list by its name."""
        if name not in self._lists:
            try:
                self._lists[name] = channels.parse(channels.kept(self.kept[name]))
            except (KeyError, AnswerError):
                return None
        return self._lists[name]

    def lists_of(self, kind: str) -> list[str]:
        """Names of the kept lists of a type: two firmwares of one type may have different ones."""
        return sorted(name for name in self.kept if name.startswith(_stem(kind)))

    def keep_list(self, kind: str, data: bytes) -> Keep:
        """Take a downloaded list into the memory; its name has the type, and a check of its content."""
        name = f"{_stem(kind)}{crc16_x25(data):04x}"
        self.kept[name] = channels.keep(data)
        return Keep(name, self.kept[name])

    def last_search(self, boot: str) -> float | None:
        """Boottime of the last search for anybody in this boot."""
        return max(self.searched.values(), default=None) if self.boot == boot else None

    def longest_unsearched(self, serials: list[int], boot: str) -> int:
        """Whom to look for next."""
        searched = self.searched if self.boot == boot else {}
        return min(serials, key=lambda serial: searched.get(str(serial), 0.0))

    def note_search(self, serial: int, at: float, boot: str) -> Keep:
        """Remember that an inverter was looked for."""
        self.searched = (self.searched if self.boot == boot else {}) | {str(serial): at}
        self.boot = boot
        return Keep("search", packed({"boot": boot, "at": self.searched}), durable=False)

    def keeps(self) -> Iterator[Keep]:
        """What changed and has to last."""
        units = packed({str(serial): tuple(known) for serial, known in self.units.items()})
        if units != self.kept.get("units", b"{}"):
            self.kept["units"] = units
            yield Keep("units", units)


def _stem(kind: str) -> str:
    """A kept name has only lower-case letters, digits and `_.-`."""
    return "list-" + "".join(c if c.isascii() and c.isalnum() else "_" for c in kind.lower()) + "-"
