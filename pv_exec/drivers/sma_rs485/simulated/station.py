"""One Sunny Boy: what it knows, what it remembers between requests, and the packets with which it answers. No framing, no delays."""

from collections.abc import Callable
from typing import NamedTuple

from pv_exec.drivers.sma_rs485 import channels, codec
from pv_exec.drivers.sma_rs485.channels import DIGITAL, STATUS, Channel
from pv_exec.drivers.sma_rs485.messages import (
    GET_CINFO,
    GET_DATA,
    Data,
    Device,
    GetCinfo,
    GetData,
    Packet,
)
from pv_exec.drivers.sma_rs485.simulated import lists
from pv_exec.drivers.sma_rs485.simulated.generator import MORNING, SERIAL, Generator, Moment, raw
from pv_exec.drivers.sma_rs485.simulated.plate import Plate

BASE = 1
"""Time base as in SWRNET's example and YASDI's session; nobody says what it means."""


class Frozen(NamedTuple):
    """What SYN_ONLINE left behind."""

    stamp: int
    """The time it brought; 0: there was none since the inverter woke."""
    at: float
    """Unix time of the values."""


class Spoilt(NamedTuple):
    """What is wrong with the values of an answer."""

    earlier: int = 0
    """Seconds by which their time is before that of the SYN_ONLINE."""
    ones: str = ""
    """Name of the channel that is all ones; `*`: all but serial number and states."""
    zeros: bool = False


RIGHT = Spoilt()


class Station:
    """An inverter on the line. `elevation`: unix time → degrees of the sun."""

    def __init__(self, plate: Plate, *, seed: int, elevation: Callable[[float], float]) -> None:
        self.plate = plate
        self.serial = plate.serial
        self.address = plate.address
        self.list = lists.load(plate.list)
        self.generator = Generator(plate.rated, seed=seed, elevation=elevation)
        self.forgetful = False
        self.announced = False
        self.answered = 0
        self.frozen: Frozen | None = None
        self._asked: tuple[int, int] | None = None
        self._heard_at: float | None = None
        self._moment: tuple[float, Moment] | None = None
        self._values: dict[tuple[float, int, int, Spoilt], bytes] = {}

    def awake(self, t: float) -> bool:
        """Whether it lives; with the first light it knows neither frozen values nor that it was announced."""
        if not self.generator.awake(t):
            return False
        before, self._heard_at = self._heard_at, t
        if before is not None and self.generator.daylight.days_between(before, t):
            self.announced = False
            self.frozen = None
            self._asked = None
            if self.forgetful:
                self.address = self.plate.address
        return True

    @property
    def device(self) -> Device:
        return Device(self.address, self.serial, self.plate.type)

    def freeze(self, stamp: int, t: float) -> None:
        """SYN_ONLINE: keep the values of now; it clears the mark of being announced as well (SWRNET)."""
        self.frozen = Frozen(stamp, t)
        self.announced = False

    def cinfo(self, asked: GetCinfo, master: int) -> Packet | None:
        """A packet of the channel list. Stateless: the counter says which."""
        whole, size = self.list.data, self.plate.packet
        return codec.part_answer(GET_CINFO, self.address, whole, asked.after, master=master, size=size)

    def data(self, asked: GetData, t: float, master: int, spoilt: Spoilt = RIGHT) -> Packet | None:
        """A packet of values. A follow-up without a mask is for the mask asked last."""
        if asked.mask is not None and asked.channel is not None:
            self._asked = asked.mask, asked.channel
        if self._asked is None:
            return None
        said = self.said(*self._asked, self.frozen or Frozen(0, t), spoilt)
        if said is None:
            return None
        whole, size = codec.payload(said), self.plate.packet
        return codec.part_answer(GET_DATA, self.address, whole, asked.after, master=master, size=size)

    def said(self, mask: int, channel: int, frozen: Frozen, spoilt: Spoilt = RIGHT) -> Data | None:
        """What it says to GET_DATA; None where no channel fits, to which it is silent."""
        chosen = channels.select(self.list.channels, mask, channel)
        if not chosen:
            return None
        key = frozen.at, mask, channel, spoilt
        if key not in self._values:
            if len(self._values) > 64:
                self._values.clear()
            moment = self._at(frozen.at)
            self._values[key] = b"".join(self._value(one, moment, spoilt) for one in chosen)
        stamped = mask & codec.STAMPED
        time = (frozen.stamp - spoilt.earlier) & 0xFFFFFFFF
        return Data(mask, channel, time if stamped else None, BASE if stamped else None, self._values[key])

    def _at(self, t: float) -> Moment:
        if self._moment is None or self._moment[0] != t:
            self._moment = t, self.generator.moment(t)
        return self._moment[1]

    def _value(self, channel: Channel, moment: Moment, spoilt: Spoilt) -> bytes:
        name = channel.name.lower()
        plain = not channel.ctype & (STATUS | DIGITAL) and name not in SERIAL
        if spoilt.ones and (channel.name == spoilt.ones or (spoilt.ones == "*" and plain)):
            return b"\xff" * channels.width(channel)
        if spoilt.zeros and name in MORNING:
            return bytes(channels.width(channel))
        return channels.encode_raw(channel, raw(channel, moment, self.serial))
