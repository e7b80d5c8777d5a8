"""The Kaco RS485 protocol, both directions, without I/O: requests, answers, and the queries that wait for an answer."""

from typing import NamedTuple

from pv_exec.drivers.kaco.messages import (
    Answer,
    Firmware,
    Generic,
    Measured,
    Phase,
    Request,
    Serial,
    String,
    Totals,
    Trio,
    TypeName,
)

__all__ = [
    "COMMANDS", "Answer", "Firmware", "FirmwareOf", "Generic", "Live", "Measured", "Phase", "Request", "Serial",
    "SerialOf", "String", "Sub", "Totals", "TotalsOf", "Trio", "TypeName", "TypeOf", "decode_request", "encode_answer",
    "encode_request",
]

COMMANDS = "012389s"
"""Everything a reader may ever send; `b…` are control telegrams."""


def encode_request(address: int, command: str) -> bytes:
    """`#010\\r`. ValueError for an address outside 1…32 or a command outside COMMANDS."""
    raise NotImplementedError


def decode_request(data: bytes) -> Request | None:
    """What a station hears: CR or CRLF ends a request; None for anything that is not exactly one request."""
    raise NotImplementedError


def encode_answer(
    answer: Answer,
    *,
    header: bool = True,
    padded: bool = True,
    zeros: bool = False,
    hours_zeros: bool = False,
) -> bytes:
    """The bytes a station sends, from LF to CR, checksum included.

    header: Totals only, False = the 59 byte shape of an xi. hours_zeros: Totals, `000012:38` as TL3 and blueplanet do.
    padded: Measured 00, type filled up with spaces to 6. A Measured whose type is None ends after its 58th byte (57 + sum).
    zeros: Measured xp, zero padded and wide (the shape of the application note) instead of narrow and space padded.
    """
    raise NotImplementedError


class Live(NamedTuple):
    """Command 0: Measured (00/02, XP), Generic, or Trio (then ask Sub 1, 2, 3)."""

    address: int
    silent_tries: int = 1

    @property
    def request(self) -> bytes:
        return encode_request(self.address, "0")

    def begun(self, heard: bytes) -> bool:
        raise NotImplementedError

    def answer(self, heard: bytes, *, ended: bool) -> Measured | Generic | Trio | None:
        raise NotImplementedError


class Sub(NamedTuple):
    """Commands 1, 2, 3 of a 000xi: the sub-inverter `n`."""

    address: int
    n: int
    silent_tries: int = 1

    @property
    def request(self) -> bytes:
        return encode_request(self.address, str(self.n))

    def begun(self, heard: bytes) -> bool:
        raise NotImplementedError

    def answer(self, heard: bytes, *, ended: bool) -> Measured | None:
        raise NotImplementedError


class TotalsOf(NamedTuple):
    """Command 3, never to a 000xi. `energy_today`: E of the command 0 just read (Wh); `headed`: what is known of this unit, None = both."""

    address: int
    energy_today: int | None
    headed: bool | None = None
    silent_tries: int = 1

    @property
    def request(self) -> bytes:
        return encode_request(self.address, "3")

    def begun(self, heard: bytes) -> bool:
        raise NotImplementedError

    def answer(self, heard: bytes, *, ended: bool) -> Totals | None:
        raise NotImplementedError


class TypeOf(NamedTuple):
    """Command 9."""

    address: int
    silent_tries: int = 1

    @property
    def request(self) -> bytes:
        return encode_request(self.address, "9")

    def begun(self, heard: bytes) -> bool:
        raise NotImplementedError

    def answer(self, heard: bytes, *, ended: bool) -> TypeName | None:
        raise NotImplementedError


class FirmwareOf(NamedTuple):
    """Command 8."""

    address: int
    silent_tries: int = 1

    @property
    def request(self) -> bytes:
        return encode_request(self.address, "8")

    def begun(self, heard: bytes) -> bool:
        raise NotImplementedError

    def answer(self, heard: bytes, *, ended: bool) -> Firmware | None:
        raise NotImplementedError


class SerialOf(NamedTuple):
    """Command s; an xi stays silent."""

    address: int
    silent_tries: int = 1

    @property
    def request(self) -> bytes:
        return encode_request(self.address, "s")

    def begun(self, heard: bytes) -> bool:
        raise NotImplementedError

    def answer(self, heard: bytes, *, ended: bool) -> Serial | None:
        raise NotImplementedError
