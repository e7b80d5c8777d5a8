"""What an inverter says of itself: that it is a 000xi (reply 4), firmware (8), type (9) and serial number (s), both directions."""

import re

from pv_exec.box.errors import Corrupt
from pv_exec.drivers.kaco import checks
from pv_exec.drivers.kaco.frame import Frame, checked_by_crc, line_of, refuse_if, shown, text_of, with_crc
from pv_exec.drivers.kaco.messages import Firmware, Serial, Trio, TypeName


def trio(data: bytes, ended: bool) -> Frame | None:
    """`*AA4` and CR: a 000xi. Without a checksum, so nothing may stand between."""
    if len(data) < 6:
        refuse_if(data, ended)
        return None
    if data[5] != 0x0D:
        raise Corrupt(f"neither an answer of a 000xi nor anything else: {shown(data)}")
    return Frame(Trio(int(data[2:4])), 6)


_NAME = rb"\n\*[0-9]{2}9 ([0-9A-Za-z][0-9A-Za-z./+-]{1,11}) {1,5}"
_LONGEST_NAME = 24
_FIRMWARE = r"\*[0-9]{2}8 ([!-~][ -~]{2,})"
_SERIAL = r"\*[0-9]{2}s ([!-~]{1,32}) "


def type_name(data: bytes, ended: bool) -> Frame | None:
    """A type of any length, spaces, the one-byte sum from `*` to the last of them, CR; on every family. Sources: AN, CAP, UART."""
    wrong = None
    match = re.match(_NAME, data)
    for at in range(match.end(1) + 1, match.end() + 1) if match else ():
        if data[at + 1 : at + 2] == b"\r":
            if checks.sum_of(data[1:at]) == data[at]:
                return Frame(TypeName(int(data[2:4]), match[1].decode()), at + 2) if match else None
            wrong = f"checksum {data[at]:02X}, computed {checks.sum_of(data[1:at]):02X}"
    if not ended and len(data) < _LONGEST_NAME:
        return None
    raise Corrupt(wrong or f"not the answer of command 9: {shown(data[:_LONGEST_NAME])}")


def firmware(data: bytes, ended: bool) -> Frame | None:
    """Text up to CR. Nothing checks it: the hex words in it are the firmware's own checksums (CAP)."""
    if (line := line_of(data, ended)) is None:
        return None
    match = re.fullmatch(_FIRMWARE, text_of(line))
    if not match:
        raise Corrupt(f"not the answer of command 8: {shown(line)}")
    return Frame(Firmware(int(line[1:3]), match[1].rstrip()), len(line) + 2)


def serial(data: bytes, ended: bool) -> Frame | None:
    """One word and the CRC of the generic protocol (CAP)."""
    if (line := line_of(data, ended)) is None:
        return None
    match = re.fullmatch(_SERIAL, checked_by_crc(line))
    if not match:
        raise Corrupt(f"not the answer of command s: {shown(line)}")
    return Frame(Serial(int(line[1:3]), match[1]), len(line) + 2)


def encode_type_name(t: TypeName, *, padded: bool) -> bytes:
    """`padded`: the type filled up with spaces to six characters."""
    summed = f"*{t.address:02d}9 {t.type:{6 if padded else 1}} ".encode()
    return b"\n" + summed + bytes((checks.sum_of(summed),)) + b"\r"


def encode_firmware(f: Firmware) -> bytes:
    """The text as it is."""
    return f"\n*{f.address:02d}8 {f.text}\r".encode()


def encode_serial(s: Serial) -> bytes:
    """The serial number with its CRC."""
    return with_crc(f"*{s.address:02d}s {s.serial} ")
