"""The Kaco RS485 protocol, both directions, without I/O: requests, answers, and the queries that find their answer.

A query looks for its answer in everything heard since its request: echo, noise and late answers of others come before
it or behind it. Frames are told by shape and place, never by the first CR: a one-byte sum may be any byte.
"""

import re
from typing import NamedTuple, cast

from pv_exec.box.errors import AddressConflict, Corrupt
from pv_exec.drivers.kaco import checks, counters, generic, identity, summed
from pv_exec.drivers.kaco.frame import Decoder, Frame
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
    "ADDRESSES",
    "COMMANDS",
    "Answer",
    "Firmware",
    "FirmwareOf",
    "Generic",
    "Live",
    "Measured",
    "Phase",
    "Request",
    "Serial",
    "SerialOf",
    "String",
    "Sub",
    "Totals",
    "TotalsOf",
    "Trio",
    "TypeName",
    "TypeOf",
    "check_rest",
    "decode_request",
    "encode_answer",
    "encode_request",
]

ADDRESSES = range(1, 33)
"""What the menu of an inverter offers (AN, HB). 0 is no address: an answer that carries 00 belongs to nobody we asked."""

COMMANDS = "012389s"
"""Everything a reader may ever send; `b…` are control telegrams (KSER)."""

_REQUEST = rb"#([0-9]{2})([0-9a-z])\r\n?"


def encode_request(address: int, command: str) -> bytes:
    r"""`#010\r` for address 1, command "0": five bytes and CR alone (AN). ValueError for any other address or command."""
    if address not in ADDRESSES or len(command) != 1 or command not in COMMANDS:
        raise ValueError(f"no request with address {address} and command {command!r}")
    return f"#{address:02d}{command}\r".encode()


def decode_request(data: bytes) -> Request | None:
    """What a station hears; CRLF is tolerated as real units do (K485). None for anything but exactly one request.

    Any lower-case letter or digit passes as a command, so that a simulator can tell its client what it must not send.
    """
    match = re.fullmatch(_REQUEST, data)
    return Request(int(match[1]), match[2].decode()) if match else None


def encode_answer(
    answer: Answer,
    *,
    header: bool = True,
    padded: bool = True,
    zeros: bool = False,
    hours_zeros: bool = False,
) -> bytes:
    """The bytes a station sends, from LF to CR, checksum included. ValueError when a value does not fit its field.

    header: Totals only; False, or an address that is None, gives the 59 bytes of an xi.
    padded: a type of family 00 or of command 9 is filled up with spaces to six characters.
    zeros: XP only, the wide zero-padded shape (AN) instead of the narrow one (KRTU).
    hours_zeros: Totals only, hours as `000012:38` (TL3, blueplanet).
    Measured whose type is None ends with its sum: 58 bytes in family 00, without a CR.
    """
    match answer:
        case Measured():
            return summed.encode_measured(answer, padded=padded, zeros=zeros)
        case Generic():
            return generic.encode_generic(answer)
        case Trio():
            return f"\n*{answer.address:02d}4\r".encode()
        case Totals():
            return counters.encode_totals(answer, header=header, zeros=hours_zeros)
        case TypeName():
            return identity.encode_type_name(answer, padded=padded)
        case Firmware():
            return identity.encode_firmware(answer)
        case Serial():
            return identity.encode_serial(answer)


class Live(NamedTuple):
    """Command 0: Measured (00/02, XP old), Generic, or Trio (then ask Sub 1, 2 and 3)."""

    address: int
    silent_tries: int = 1

    @property
    def request(self) -> bytes:
        return encode_request(self.address, "0")

    def begun(self, heard: bytes) -> bool:
        return _begun(heard, self.address, "04n")

    def answer(self, heard: bytes, *, ended: bool) -> Measured | Generic | Trio | None:
        return cast("Measured | Generic | Trio | None", _find(heard, self.address, _LIVE, ended=ended))


class Sub(NamedTuple):
    """Commands 1, 2, 3 to a 000xi: its inverter `n`."""

    address: int
    n: int
    silent_tries: int = 1

    @property
    def request(self) -> bytes:
        return encode_request(self.address, str(self.n))

    def begun(self, heard: bytes) -> bool:
        return _begun(heard, self.address, str(self.n))

    def answer(self, heard: bytes, *, ended: bool) -> Measured | None:
        own: dict[str, Decoder] = {str(self.n): summed.sub_inverter}
        return cast("Measured | None", _find(heard, self.address, own, ended=ended))


class TotalsOf(NamedTuple):
    """Command 3, never to a 000xi. Nothing protects the answer, so it is held against what command 0 has just said.

    energy_today: E of that answer, Wh; None leaves this guard out. headed: what is known of this unit's shape, None
    takes both. slack: Wh the unit can have made since command 0 (rated power × the seconds between, rounded up).
    """

    address: int
    energy_today: int | None
    headed: bool | None = None
    slack: int = 50
    silent_tries: int = 1

    @property
    def request(self) -> bytes:
        return encode_request(self.address, "3")

    def begun(self, heard: bytes) -> bool:
        return _begun(heard, self.address, "3") or (
            self.headed is not True and _BARE_START.search(heard) is not None
        )

    def answer(self, heard: bytes, *, ended: bool) -> Totals | None:
        own: dict[str, Decoder] = {} if self.headed is False else {"3": counters.totals_headed}
        bare = None if self.headed else counters.totals_bare
        totals = cast("Totals | None", _find(heard, self.address, own, ended=ended, bare=bare))
        if totals is not None and (reason := checks.totals(totals, self.energy_today, self.slack)):
            raise Corrupt(reason)
        return totals


class TypeOf(NamedTuple):
    """Command 9."""

    address: int
    silent_tries: int = 1

    @property
    def request(self) -> bytes:
        return encode_request(self.address, "9")

    def begun(self, heard: bytes) -> bool:
        return _begun(heard, self.address, "9")

    def answer(self, heard: bytes, *, ended: bool) -> TypeName | None:
        return cast("TypeName | None", _find(heard, self.address, {"9": identity.type_name}, ended=ended))


class FirmwareOf(NamedTuple):
    """Command 8. Nothing protects the answer: for people, not for decisions."""

    address: int
    silent_tries: int = 1

    @property
    def request(self) -> bytes:
        return encode_request(self.address, "8")

    def begun(self, heard: bytes) -> bool:
        return _begun(heard, self.address, "8")

    def answer(self, heard: bytes, *, ended: bool) -> Firmware | None:
        return cast("Firmware | None", _find(heard, self.address, {"8": identity.firmware}, ended=ended))


class SerialOf(NamedTuple):
    """Command s; an xi stays silent."""

    address: int
    silent_tries: int = 1

    @property
    def request(self) -> bytes:
        return encode_request(self.address, "s")

    def begun(self, heard: bytes) -> bool:
        return _begun(heard, self.address, "s")

    def answer(self, heard: bytes, *, ended: bool) -> Serial | None:
        return cast("Serial | None", _find(heard, self.address, {"s": identity.serial}, ended=ended))


# -- finding the answer ------------------------------------------------------------------------------------------------

_LIVE: dict[str, Decoder] = {
    "0": summed.measured_or_xp,
    "4": identity.trio,
    "n": generic.generic,
}

_LONGEST_HEARD = 512
"""Three of the longest answers: a station that says more without an answer in it will not say one."""

_SOUP = 8
"""Bytes behind an answer that are no frame: two units that spoke at once leave some sixty (CAP), a bus turn-around NULs."""

_START = re.compile(rb"\n\*([0-9]{2})([0-9a-z])")
_BARE_START = re.compile(rb"\n[ 0-9]")
_TEXT = re.compile(rb"[ -~]{10}")
_RS232 = rb"[0-9]{2}\.[0-9]{2}\.[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}"


def _begun(heard: bytes, address: int, commands: str) -> bool:
    """An answer of the asked station has started, or text has that lost its start (a corrupt answer, not a silent unit).

    Noise does not hold ten printable characters in a row, an echo only four. Whole answers of others do not count:
    the right one may still come.
    """
    started = any(b"\n*%02d%c" % (address, command) in heard for command in commands.encode())
    return started or _TEXT.search(_before_first_start(heard)) is not None


def _before_first_start(heard: bytes) -> bytes:
    start = _START.search(heard)
    return heard[: start.start()] if start else heard


def _find(
    heard: bytes,
    address: int,
    own: dict[str, Decoder],
    *,
    ended: bool,
    bare: Decoder | None = None,
) -> Answer | None:
    """The answer among everything heard. Corrupt at the first damage of it, or at the end for what was no answer."""
    damage, strangers, at = "", "", 0
    while (at := heard.find(b"\n", at)) >= 0:
        start = _START.match(heard, at)
        mine = own.get(start[2].decode()) if start and int(start[1]) == address else None
        if mine is None and not start and bare and _BARE_START.match(heard, at):
            mine = bare
        if mine:
            frame = mine(heard[at:], ended)  # Corrupt passes: this was meant to be the answer
            if frame is None:
                _bounded(heard)
                return None
            check_rest(address, "".join(own), heard[at + frame.length :], bare=bare is not None)
            return frame.answer
        if not ended and len(heard) - at < _START_LENGTH:
            _bounded(heard)
            return None
        try:
            stranger = _any_frame(heard[at:], ended=ended)
        except Corrupt as error:
            damage = damage or error.what
            at += 1
            continue
        if stranger is None:
            _bounded(heard)
            return None
        strangers = strangers or _whose(stranger.answer, address)
        at += stranger.length
    if ended:
        _raise_for_no_answer(heard, damage, strangers)
    _bounded(heard)
    return None


_START_LENGTH = 5


def _any_frame(data: bytes, *, ended: bool) -> Frame | None:
    """A frame that is not the answer, told only to be skipped; Corrupt for what is no frame.

    `3` is either the totals or a sub-inverter of a 000xi, told by their CR; totals without a header count when whole.
    """
    start = _START.match(data)
    if not start:
        if _BARE_START.match(data):
            return counters.totals_bare(data, ended=True)
        raise Corrupt(f"no start of an answer: {data[:24]!r}")
    decoders = _ANY.get(start[2].decode(), ())
    for decode in decoders[:-1]:
        try:
            if frame := decode(data, True):
                return frame
        except Corrupt:
            continue
    if not decoders:
        raise Corrupt(f"an answer to command {start[2].decode()}, which nobody asks")
    return decoders[-1](data, ended)


_ANY: dict[str, tuple[Decoder, ...]] = {
    "0": (summed.measured_or_xp,),
    "1": (summed.sub_inverter,),
    "2": (summed.sub_inverter,),
    "3": (counters.totals_headed, summed.sub_inverter),
    "4": (identity.trio,),
    "8": (identity.firmware,),
    "9": (identity.type_name,),
    "n": (generic.generic,),
    "s": (identity.serial,),
}


_NO_ADDRESS = "of address 0 "


def _whose(answer: Answer, address: int) -> str:
    if answer.address is None:
        return "an answer to command 3, which was not asked"
    if answer.address != address:
        return f"answer of address {answer.address} to a question to {address}"
    return f"answer of address {address} to another command"


def _raise_for_no_answer(heard: bytes, damage: str, strangers: str) -> None:
    if strangers:
        remedy = "give that inverter an address from 1 to 32 in its menu" if _NO_ADDRESS in strangers else ""
        raise Corrupt(strangers, remedy)
    if re.search(_RS232, heard):
        raise Corrupt("lines of the RS232 mode", "set Interface to RS485 in the inverter's menu")
    if damage and b"\n*" in heard:
        raise Corrupt(damage)
    if _TEXT.search(heard):
        raise Corrupt(f"text without the start of an answer: {heard.strip()[:40]!r}")


def _bounded(heard: bytes) -> None:
    if len(heard) > _LONGEST_HEARD:
        raise Corrupt(f"{len(heard)} bytes without an answer in them")


def check_rest(address: int, commands: str, rest: bytes, *, bare: bool = False) -> None:
    """What came behind the answer of `address`: AddressConflict when a second station answered to it as well.

    NULs, late answers to other questions (or their beginning) and a few stray bytes are nothing. A second answer to the
    same question (its reply characters are `commands`; `bare`: one without a header is one), or eight bytes that are no
    frame, are two stations speaking at once (CAP).
    """
    soup, at = 0, 0
    while at < len(rest):
        start = _START.match(rest, at)
        second = bool(start and int(start[1]) == address and start[2].decode() in commands)
        if second or (bare and _BARE_START.match(rest, at)):
            raise AddressConflict(
                f"two answers to one question to address {address}",
                "give each inverter an address of its own",
            )
        length = 0
        if rest[at] == 0x0A:
            try:
                frame = _any_frame(rest[at:], ended=False)
            except Corrupt:
                pass
            else:
                if frame is None:
                    break  # the beginning of a late answer
                length = frame.length
        if not length:
            soup += rest[at] != 0
        at += length or 1
    if soup >= _SOUP:
        raise AddressConflict(
            f"{soup} bytes behind the answer of address {address} that are none",
            "look for a second inverter with this address",
        )
