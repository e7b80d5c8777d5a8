"""What goes over the wire, as values: the protocol's words, units as on the wire, None for what a frame does not carry."""

from typing import Literal, NamedTuple


class Request(NamedTuple):
    """A question of the master: station address 1…32 and the command character."""

    address: int
    command: str


class Measured(NamedTuple):
    """Measured values of a frame with a one-byte sum (families 00/02, 000xi, XP with old software). Sources: AN, CAP, KRTU."""

    address: int
    command: str
    """"0", or "1" "2" "3" for the sub-inverters of a 000xi."""
    family: Literal["00", "000xi", "xp"]
    status: int
    """The XP's codes are another table than everybody else's (`status`)."""
    u_dc: float
    """V"""
    i_dc: float
    """A"""
    p_dc: int
    """W"""
    u_ac: float
    """V"""
    i_ac: float
    """A"""
    p_ac: int
    """W"""
    temperature: int
    """°C, of the device"""
    energy_today: int
    """Wh, since the PV voltage came back this morning"""
    type: str | None = None
    """Not covered by the sum; None when it is missing or cut."""
    energy_total: int | None = None
    """kWh, XP only; not covered by the sum."""


class String(NamedTuple):
    """One generator input: V, A, W (None where the layout has no power per string)."""

    u: float
    i: float
    p: int | None = None


class Phase(NamedTuple):
    """One phase of the grid: V, A."""

    u: float
    i: float


class Generic(NamedTuple):
    """An answer of the generic protocol (command character n): TL3, TR3, newer XP, blueplanet. Sources: AN, CAP, KRTU, WIO."""

    address: int
    elements: int
    """NOE of the frame: decides the layout; of one we do not know only type, status, energy and tokens are filled."""
    type: str
    status: int
    strings: tuple[String, ...] = ()
    phases: tuple[Phase, ...] = ()
    p_dc: int | None = None
    """W"""
    p_ac: float | None = None
    """W, with a decimal in the layout of 17 elements"""
    cos_phi: float | None = None
    cos_phi_sign: Literal["", "i", "c", "o"] = ""
    """i inductive, c capacitive, o seen on the wire without an explanation; empty at unity."""
    frequency: float | None = None
    """Hz, layout of 17 elements only"""
    temperature: float | None = None
    """°C"""
    energy_today: int | None = None
    """Wh"""
    tokens: tuple[str, ...] = ()
    """Everything after NOE, TYP and STA as it was sent."""


class Trio(NamedTuple):
    """The answer of a 000xi to command 0: it is three inverters, ask 1, 2 and 3. Sources: AN, WIO."""

    address: int


class Totals(NamedTuple):
    """The answer to command 3; nothing in it is covered by a checksum. Sources: CAP, K485, JAVA, KRTU, HB."""

    address: int | None
    """None in the shape without a header."""
    peak_today: int
    """W; "can be an impossible value" (HB)"""
    energy_today: int
    """Wh"""
    clearable: int
    """Counter the owner can clear, in the unit's own unit (kWh, 0.1 kWh or Wh: nothing in the frame says which)."""
    total: int
    """Total yield, in the same unit as `clearable`."""
    hours_today: float
    hours_clearable: float
    hours_total: float


class TypeName(NamedTuple):
    """The answer to command 9."""

    address: int
    type: str


class Firmware(NamedTuple):
    """The answer to command 8; without a checksum of the frame (the last word is the firmware's own)."""

    address: int
    text: str


class Serial(NamedTuple):
    """The answer to command s."""

    address: int
    serial: str


Answer = Measured | Generic | Trio | Totals | TypeName | Firmware | Serial
