"""A channel list as text, for a device that does not send its own (SUPLA saw one) and for a person to look at.

ctype,number,ntype,level,name,unit,gain,offset,texts
0901,6,0101,0000,Fac,Hz,0.01,0,
0908,1,0100,0000,Status,,,,Stop|Warten|Mpp
"""

import csv
import io
import struct
from collections.abc import Iterable

from pv_exec.box.errors import Corrupt
from pv_exec.drivers.sma_rs485.channels import (
    ANALOG,
    COUNTER,
    DIGITAL,
    STATUS,
    Analog,
    Channel,
    Counter,
    Digital,
    Status,
    build,
    parse,
)

HEAD = ("ctype", "number", "ntype", "level", "name", "unit", "gain", "offset", "texts")


def to_text(channels: Iterable[Channel]) -> str:
    """One line per channel, numbers of the protocol in hex, gains as the shortest decimal that is the same float32."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    write(HEAD)
    for channel in channels:
        common = (
            f"{channel.ctype:04x}",
            channel.number,
            f"{channel.ntype:04x}",
            f"{channel.level:04x}",
            channel.name,
        )
        match channel:
            case Analog():
                write((*common, channel.unit, _shortest(channel.gain), _shortest(channel.offset), ""))
            case Digital():
                write((*common, "", "", "", f"{channel.zero}|{channel.other}"))
            case Counter():
                write((*common, channel.unit, _shortest(channel.gain), "", ""))
            case Status():
                write((*common, "", "", "", "|".join(channel.texts)))
    return out.getvalue()


def from_text(text: str) -> bytes:
    """The list that a text describes, as a device would send it. Corrupt, with the line, for what is none."""
    rows = csv.reader(io.StringIO(text), strict=True)
    try:
        data = build(
            _channel(row) for row in rows if row and tuple(row) != HEAD and not row[0].startswith("#")
        )
    except (ValueError, csv.Error) as error:
        raise Corrupt(f"line {rows.line_num} of the channel list: {error}") from None
    parse(data)
    return data


def _channel(row: list[str]) -> Channel:
    if len(row) != len(HEAD):
        raise ValueError(f"{len(row)} columns instead of {len(HEAD)}")
    ctype, number, ntype, level = int(row[0], 16), int(row[1]), int(row[2], 16), int(row[3], 16)
    name, unit, gain, offset, texts = row[4:]
    common = (number, ctype, ntype, level, name)
    if ctype & ANALOG:
        return Analog(*common, unit, float(gain), float(offset or 0))
    if ctype & DIGITAL:
        zero, bar, other = texts.partition("|")
        if not bar:
            raise ValueError("a digital channel has two texts: no|yes")
        return Digital(*common, zero, other)
    if ctype & COUNTER:
        return Counter(*common, unit, float(gain))
    if ctype & STATUS:
        return Status(*common, tuple(texts.split("|")) if texts else ())
    raise ValueError(f"no class (ctype {ctype:04x})")


def _shortest(number: float) -> str:
    texts = (f"{number:.{digits}g}" for digits in range(1, 10))
    shortest = next((float(text) for text in texts if _same_float32(float(text), number)), number)
    return repr(shortest).removesuffix(".0")


def _same_float32(one: float, other: float) -> bool:
    try:
        return struct.pack("<f", one) == struct.pack("<f", other)
    except OverflowError:
        return False  # rounded up beyond the largest float32
