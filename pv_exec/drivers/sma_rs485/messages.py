"""What goes over the wire, as values: the protocol's words, numbers as sent. Sources: SWRNET, YASDI."""

from typing import Literal, NamedTuple

Framing = Literal["smanet", "sunnynet"]
"""How a packet is wrapped. A device answers in the framing it was asked in."""

FRAMINGS: tuple[Framing, ...] = ("smanet", "sunnynet")

GET_NET, SEARCH_DEV, CFG_NETADR, GET_NET_START = 0x01, 0x02, 0x03, 0x06
GET_CINFO, SYN_ONLINE, GET_DATA = 0x09, 0x0A, 0x0B

COMMANDS = frozenset({GET_NET, SEARCH_DEV, CFG_NETADR, GET_NET_START, GET_CINFO, SYN_ONLINE, GET_DATA})
"""Everything a reader may ever send. The rest writes (0C SET_DATA, 28 PDELIMIT) or is nothing a Sunny Boy has."""

NAMES = {
    GET_NET: "GET_NET",
    SEARCH_DEV: "SEARCH_DEV",
    CFG_NETADR: "CFG_NETADR",
    GET_NET_START: "GET_NET_START",
    GET_CINFO: "GET_CINFO",
    SYN_ONLINE: "SYN_ONLINE",
    GET_DATA: "GET_DATA",
}

GROUP, ANSWER = 0x80, 0x40
"""Bits of ctrl: the destination is a group (0 is everybody); this is an answer."""

MOST = 255
"""Data bytes of one packet."""


class Packet(NamedTuple):
    """One SMAData1 packet, without its framing."""

    source: int
    destination: int
    ctrl: int
    counter: int
    """Packets that still follow; in a request for the next one, the counter just received."""
    command: int
    data: bytes = b""


# -- requests, as a station understands them ---------------------------------------------------------------------------


class GetNet(NamedTuple):
    """Who is there? Broadcast; with `start` everybody answers, else only who has not been given an address since."""

    start: bool


class SearchDev(NamedTuple):
    """Where is this serial number? Broadcast."""

    serial: int


class CfgNetadr(NamedTuple):
    """Take this address. Broadcast; the only request that changes anything."""

    serial: int
    address: int


class GetCinfo(NamedTuple):
    """The channel list, or its packet after the one with counter `after`."""

    address: int
    after: int = 0


class SynOnline(NamedTuple):
    """Freeze the spot values and stamp them with this time (Unix seconds, UTC). Broadcast, never answered."""

    time: int


class GetData(NamedTuple):
    """The values of all channels of a mask (channel 0) or of one; mask and channel None in a bare follow-up (YASDI's)."""

    address: int
    mask: int | None
    channel: int | None
    after: int = 0


Request = GetNet | SearchDev | CfgNetadr | GetCinfo | SynOnline | GetData


# -- answers -----------------------------------------------------------------------------------------------------------


class Device(NamedTuple):
    """Answer to GET_NET, GET_NET_START and SEARCH_DEV."""

    address: int
    serial: int
    type: str
    """Such as WR20-004: names the channel list, but two firmwares of one type may have different lists."""


class Configured(NamedTuple):
    """Answer to CFG_NETADR; it comes from the new address already."""

    address: int
    serial: int


class Part(NamedTuple):
    """One packet of an answer of several: its bytes, and how many packets still follow."""

    counter: int
    data: bytes


class Data(NamedTuple):
    """Answer to GET_DATA."""

    mask: int
    channel: int
    time: int | None
    """Unix seconds of the SYN_ONLINE that froze the values; None for parameters, which are not frozen."""
    base: int | None
    """Time base; meaning open (SWRNET shows 00 00 00 01)."""
    values: bytes
    """In the order of the channel list, without separators; channels.decode reads them."""


Answer = Device | Configured | Part | Data
