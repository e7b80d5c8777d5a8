"""One Kaco inverter on the line: what it measures at a moment, and what it remembers."""

import math
import random
from collections.abc import Callable
from typing import NamedTuple

from pv_exec.box.daylight import Daylight, SoFar
from pv_exec.drivers.kaco.simulated.kinds import Kind


class Moment(NamedTuple):
    """The state of one inverter, before it is put into a frame's words."""

    load: float
    """Share of the rated power."""
    drift: float
    """-1…1, slow: grid voltage and the like."""
    today: SoFar
    energy_total: float
    """Wh"""
    hours_total: float
    status: int | None = None
    """None: as the load says."""


class Station:
    """One inverter on the line and what it remembers."""

    def __init__(self, kind: Kind, *, seed: int, elevation: Callable[[float], float]) -> None:
        self.kind = kind
        self.address = kind.address
        self.dice = random.Random(seed)  # noqa: S311 -- seeded on purpose, no secrets
        self.daylight = Daylight(elevation, seed)
        # First bytes came 42…427 ms after the request, each unit near a time of its own (CAP).
        self.delay = 0.04 + 0.36 * self.dice.random()
        years = 3 + 10 * self.dice.random()
        self.energy_before = years * 1000.0 * kind.rated
        self.hours_before = years * 4300.0
        self.turn = self.dice.random() * math.tau
        self.serial = f"{kind.rated / 1000:.1f}TL{99000000 + self.dice.randrange(1000000)}"
        self.answered = 0
        self.totals_given = 0
        self.cleared: tuple[float, float] | None = None
        self.dusk: float | None = None
        self.fitting: dict[tuple[str, str], Moment] = {}
        self.first_day: float | None = None

    def wait(self) -> float:
        """Seconds until this answer begins."""
        if self.kind.delay is not None:
            return self.kind.delay
        return self.delay + 0.03 * self.dice.random()

    def moment(self, t: float) -> Moment:
        """How things are at unix time t."""
        daylight = self.daylight
        if self.first_day is None:
            self.first_day = t
        today = daylight.today(t)
        energy = self.energy_before + today.full_hours * self.kind.rated
        hours = self.hours_before + today.awake_hours
        for ago in range(1, daylight.days_between(self.first_day, t) + 1):
            past = daylight.whole_day(t, ago)
            energy += past.full_hours * self.kind.rated
            hours += past.awake_hours
        return Moment(daylight.load(t), math.sin(t / 800.0 + self.turn), today, energy, hours)
