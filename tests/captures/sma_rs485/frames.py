"""Frames and a channel list, bytes and values typed from the sheet on the protocol, never from our codec.

`session.hex`: SMA's own master YASDI 1.8.3 on a pty against a simulator that is not ours to ship (one WR20-004 at true
1200-baud timing): detection, the channel list, two readings. Serial number and values are invented.
`wr20-004.csv`: the channel list of a real Sunny Boy 2000 as a table (embedded in the exporter simonswine/yasdi_exporter).
"""

import csv
import struct
from pathlib import Path
from typing import NamedTuple

from pv_exec.drivers.sma_rs485.messages import (
    CfgNetadr,
    Configured,
    Data,
    Device,
    Framing,
    GetCinfo,
    GetData,
    GetNet,
    Packet,
    Part,
    Request,
    SearchDev,
    SynOnline,
)

HERE = Path(__file__).parent
SERIAL = 2000123456
WR20 = Device(1, SERIAL, "WR20-004")
TIME = 1718000000


class Example(NamedTuple):
    """A frame, its packet, and what it asks or says."""

    name: str
    text: str
    packet: Packet
    means: Request | Device | Configured | Part | Data
    framing: Framing = "smanet"

    @property
    def frame(self) -> bytes:
        return bytes.fromhex(self.text)


_DEVICE = bytes.fromhex("40 76 37 77") + b"WR20-004"
_SERIAL = bytes.fromhex("40 76 37 77")

MINIMAL_LIST = (
    b"\x01\x01\x09\x01\x01\x00\x00Uac            \0V      \0\x00\x00\x80\x3f\x00\x00\x00\x00"
    b"\x02\x01\x09\x01\x01\x00\x00Pac            \0W      \0\x00\x00\x80\x3f\x00\x00\x00\x00"
    b"\x01\x04\x09\x02\x01\x00\x00E-Total        \0kWh    \0\xf6\xcd\x8b\x37"
    b"\x01\x08\x09\x00\x01\x00\x00Status         \0\x30\x00Stop           \0Warten         \0Mpp            \0"
)
"""The list of a device with four channels, 186 bytes."""

MINIMAL_VALUES = bytes.fromhex("eb 00 52 02 58 81 e6 3f 02")
"""Uac 235, Pac 594, E-Total 17867.1 kWh, Status Mpp."""

WR20_VALUES = bytes.fromhex(
    "07 01 06 01 dd 09 1c 00 eb 00 87 13 52 02 ac 00 7c 13 b8 0b eb 00 87 13 af 00 9d 12 95 01 9b 09 90 01 04 00 05 00"
    "58 81 e6 3f 3d f3 e4 07 f0 0e 00 00 56 00 00 00 40 76 37 77 07 00"
)

EXAMPLES = (
    Example(
        "GET_NET_START", "7e ff 03 40 41 00 00 00 00 80 00 06 d7 c0 7e",
        Packet(0, 0, 0x80, 0, 6), GetNet(start=True),
    ),
    Example(
        "GET_NET_START, answer",
        "7e ff 03 40 41 01 00 00 00 40 00 06 40 76 37 77 57 52 32 30 2d 30 30 34 9e 98 7e",
        Packet(1, 0, 0x40, 0, 6, _DEVICE), WR20,
    ),
    Example(
        "GET_NET", "7e ff 03 40 41 00 00 00 00 80 00 01 68 b4 7e",
        Packet(0, 0, 0x80, 0, 1), GetNet(start=False),
    ),
    Example(
        "GET_NET, answer",
        "7e ff 03 40 41 01 00 00 00 40 00 01 40 76 37 77 57 52 32 30 2d 30 30 34 dd 80 7e",
        Packet(1, 0, 0x40, 0, 1, _DEVICE), WR20,
    ),
    Example(
        "SEARCH_DEV", "7e ff 03 40 41 00 00 00 00 80 00 02 40 76 37 77 29 c8 7e",
        Packet(0, 0, 0x80, 0, 2, _SERIAL), SearchDev(SERIAL),
    ),
    Example(
        "SEARCH_DEV, answer",
        "7e ff 03 40 41 01 00 00 00 40 00 02 40 76 37 77 57 52 32 30 2d 30 30 34 2a 8e 7e",
        Packet(1, 0, 0x40, 0, 2, _DEVICE), WR20,
    ),
    Example(
        "CFG_NETADR", "7e ff 03 40 41 00 00 00 00 80 00 03 40 76 37 77 02 00 4d 1d 7e",
        Packet(0, 0, 0x80, 0, 3, _SERIAL + b"\x02\x00"), CfgNetadr(SERIAL, 2),
    ),
    Example(
        "CFG_NETADR, answer", "7e ff 03 40 41 02 00 00 00 40 00 03 40 76 37 77 54 29 7e",
        Packet(2, 0, 0x40, 0, 3, _SERIAL), Configured(2, SERIAL),
    ),
    Example(
        "GET_CINFO", "7e ff 03 40 41 00 00 01 00 00 00 09 88 3f 7e",
        Packet(0, 1, 0, 0, 9), GetCinfo(1),
    ),
    Example(
        "GET_CINFO, follow-up 21", "7e ff 03 40 41 00 00 01 00 00 15 09 a1 d4 7e",
        Packet(0, 1, 0, 21, 9), GetCinfo(1, 21),
    ),
    Example(
        "GET_CINFO, follow-up 19: stuffed", "7e ff 03 40 41 00 00 01 00 00 7d 33 09 71 80 7e",
        Packet(0, 1, 0, 19, 9), GetCinfo(1, 19),
    ),
    Example(
        "SYN_ONLINE", "7e ff 03 40 41 00 00 00 00 80 00 0a 80 99 66 66 91 21 7e",
        Packet(0, 0, 0x80, 0, 10, bytes.fromhex("80 99 66 66")), SynOnline(TIME),
    ),
    Example(
        "SYN_ONLINE of BEAM, time 0", "7e ff 03 40 41 00 00 00 00 80 00 0a 00 00 00 00 2d 2e 7e",
        Packet(0, 0, 0x80, 0, 10, bytes(4)), SynOnline(0),
    ),
    Example(
        "GET_DATA, all spot values", "7e ff 03 40 41 00 00 01 00 00 00 0b 0f 09 00 21 9d 7e",
        Packet(0, 1, 0, 0, 11, b"\x0f\x09\x00"), GetData(1, 0x090F, 0),
    ),
    Example(
        "GET_DATA, Pac", "7e ff 03 40 41 00 00 01 00 00 00 0b 01 09 07 85 f9 7e",
        Packet(0, 1, 0, 0, 11, b"\x01\x09\x07"), GetData(1, 0x0901, 7),
    ),
    Example(
        "GET_DATA, parameters", "7e ff 03 40 41 00 00 01 00 00 00 0b 0f 04 00 59 2d 7e",
        Packet(0, 1, 0, 0, 11, b"\x0f\x04\x00"), GetData(1, 0x040F, 0),
    ),
    Example(
        "GET_CINFO, answer of four channels",
        "7e ff 03 40 41 01 00 00 00 40 00 09"
        "01 01 09 01 01 00 00 55 61 63 20 20 20 20 20 20 20 20 20 20 20 20 00 56 20 20 20 20 20 20 00 00 00 80 3f 00 00 00 00"
        "02 01 09 01 01 00 00 50 61 63 20 20 20 20 20 20 20 20 20 20 20 20 00 57 20 20 20 20 20 20 00 00 00 80 3f 00 00 00 00"
        "01 04 09 02 01 00 00 45 2d 54 6f 74 61 6c 20 20 20 20 20 20 20 20 00 6b 57 68 20 20 20 20 00 f6 cd 8b 37"
        "01 08 09 00 01 00 00 53 74 61 74 75 73 20 20 20 20 20 20 20 20 20 00 30 00"
        "53 74 6f 70 20 20 20 20 20 20 20 20 20 20 20 00 57 61 72 74 65 6e 20 20 20 20 20 20 20 20 20 00"
        "4d 70 70 20 20 20 20 20 20 20 20 20 20 20 20 00"
        "ae c6 7e",
        Packet(1, 0, 0x40, 0, 9, MINIMAL_LIST), Part(0, MINIMAL_LIST),
    ),
    Example(
        "GET_DATA, answer of four channels",
        "7e ff 03 40 41 01 00 00 00 40 00 0b 0f 09 00 01 00 80 99 66 66 01 00 00 00 eb 00 52 02 58 81 e6 3f 02 2d c3 7e",
        Packet(1, 0, 0x40, 0, 11, bytes.fromhex("0f 09 00 01 00 80 99 66 66 01 00 00 00") + MINIMAL_VALUES),
        Data(0x090F, 0, TIME, 1, MINIMAL_VALUES),
    ),
    Example(
        "GET_DATA, answer of a WR20: four bytes stuffed",
        "7e ff 03 40 41 01 00 00 00 40 00 0b 0f 09 00 01 00 80 99 66 66 01 00 00 00 07 01 06 01 dd 09 1c 00 eb 00 87 7d 33"
        "52 02 ac 00 7c 7d 33 b8 0b eb 00 87 7d 33 af 00 9d 7d 32 95 01 9b 09 90 01 04 00 05 00 58 81 e6 3f 3d f3 e4 07 f0 0e"
        "00 00 56 00 00 00 40 76 37 77 07 00 6e c1 7e",
        Packet(1, 0, 0x40, 0, 11, bytes.fromhex("0f 09 00 01 00 80 99 66 66 01 00 00 00") + WR20_VALUES),
        Data(0x090F, 0, TIME, 1, WR20_VALUES),
    ),
    Example(
        "GET_NET_START, SunnyNet", "68 00 00 68 00 00 00 00 80 00 06 86 00 16",
        Packet(0, 0, 0x80, 0, 6), GetNet(start=True), "sunnynet",
    ),
    Example(
        "GET_NET_START, answer, SunnyNet",
        "68 0c 0c 68 01 00 00 00 40 00 06 40 76 37 77 57 52 32 30 2d 30 30 34 77 03 16",
        Packet(1, 0, 0x40, 0, 6, _DEVICE), WR20, "sunnynet",
    ),
    Example(
        "GET_DATA, SunnyNet", "68 03 03 68 00 00 01 00 00 00 0b 0f 09 00 24 00 16",
        Packet(0, 1, 0, 0, 11, b"\x0f\x09\x00"), GetData(1, 0x090F, 0), "sunnynet",
    ),
)  # fmt: skip
"""Every worked example."""

WR20_SAYS: tuple[tuple[str, int, float, str, str | None], ...] = (
    ("Upv-Ist", 263, 263, "V", None),
    ("Upv-Soll", 262, 262, "V", None),
    ("Iac-Ist", 2525, 2525, "mA", None),
    ("Iac-Soll", 28, 28, "%", None),
    ("Uac", 235, 235, "V", None),
    ("Fac", 4999, 49.99, "Hz", None),
    ("Pac", 594, 594, "W", None),
    ("Zac", 172, 0.172, "Ohm", None),
    ("dZac", 4988, -0.012, "Ohm", None),
    ("RErd-Start", 3000, 3000, "kOhm", None),
    ("Uac-Srr", 235, 235, "V", None),
    ("Fac-Srr", 4999, 49.99, "Hz", None),
    ("Zac-Srr", 175, 0.175, "Ohm", None),
    ("Izac", 4765, 4.765, "A", None),
    ("Tkk", 405, 40.5, "grdC", None),
    ("Ipv", 2459, 2459, "mA", None),
    ("Uzwk", 400, 400, "V", None),
    ("dI", 4, 4, "mA", None),
    ("dI-Srr", 5, 5, "mA", None),
    ("E-Total", 1072071000, 17867.1, "kWh", None),
    ("h-Total", 132444989, 36790.6, "h", None),
    ("Netz-Ein", 3824, 3824, "", None),
    ("Fehler-Cnt", 86, 86, "", None),
    ("Seriennummer", SERIAL, SERIAL, "", None),
    ("Status", 7, 7, "", "Mpp"),
    ("Fehler", 0, 0, "", "-------"),
)
"""Name, raw, value, unit and text of each channel in the WR20's answer; the two totals to one decimal, as printed."""

WR20_TEXTS = {
    "Status": (
        "Offset", "Stop", "Netzueb.", "Warten", "U-Konst", "I-Konst", "Mpp-Such", "Mpp", "Stoer.", "Fehler",
        "Serientest BFS", "Stat Res 2", "Zuschalt.", "Uac / Rel", "Stop 1", "Calib",
    ),
    "Fehler": (
        "-------", "Rechner", "Uac-Srr", "Fac-Srr", "Zac-Srr", "dZac-Srr", "Imax", "Paramet.", "dI-Srr", "NUW-UAC",
        "NUW-FAC", "NUW-ZAC", "OFFSET", "EEPROM", "Uac-Bfr", "Fac-Bfr", "Zac-Bfr", "dZac-Bfr", "UpvMax", "Bfr-Srr",
        "Nuw-Mess", "Riso", "Stoer Res 2", "Uzwk", "dI", "dI-Mess", "NUW-dI", "K1-Trenn", "K1-Schliess", "K2-Trenn",
        "Watchdog", "Stoer Res 8",
    ),
}  # fmt: skip


class Recorded(NamedTuple):
    """One line of the session; the master is YASDI."""

    seconds: float
    by_master: bool
    data: bytes
    command: str
    source: int
    destination: int
    ctrl: int
    counter: int
    length: int


def session() -> tuple[Recorded, ...]:
    """All 51 frames, with their headers as the recorder decoded them."""
    found = []
    for line in (HERE / "session.hex").read_text().splitlines():
        if line.startswith("#"):
            continue
        columns, said = line.split("#")
        seconds, direction, count, *octets = columns.split()
        words = said.replace("WR20-004", "").split()
        said_of = dict(word.split("=") for word in words[1:] if len(word.split("=")) == 2)
        data = bytes.fromhex("".join(octets))
        assert len(data) == int(count)
        found.append(
            Recorded(
                float(seconds),
                direction == "M>S",
                data,
                words[0],
                int(said_of["src"], 16),
                int(said_of["dst"], 16),
                int(said_of["ctrl"], 16),
                int(said_of["cnt"]),
                int(said_of["len"]),
            )
        )
    return tuple(found)


def wr20_list() -> bytes:
    """The list of the WR20-004 put together from its table, by hand and not with our codec: 5564 bytes."""
    out = []
    with (HERE / "wr20-004.csv").open(newline="") as table:
        for row in csv.DictReader(table):
            ctype = int(row["ctype"], 16)
            out.append(
                struct.pack("<BHHH", int(row["idx"]), ctype, int(row["ntype"], 16), int(row["level"], 16))
                + row["name"].encode().ljust(15)
                + b"\0"
            )
            texts = b"".join(text.encode().ljust(15) + b"\0" for text in row["texts"].split("|"))
            unit = row["unit"].encode().ljust(7) + b"\0"
            match ctype & 15:
                case 1:
                    out.append(unit + bytes.fromhex(row["gain_hex"]) + bytes.fromhex(row["ofs_hex"]))
                case 2:
                    out.append(texts)
                case 4:
                    out.append(unit + bytes.fromhex(row["gain_hex"]))
                case 8:
                    out.append(len(texts).to_bytes(2, "little") + texts)
    return b"".join(out)
