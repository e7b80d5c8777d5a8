"""What the sun makes of a generator over the days, for simulators: how much of its power now, how much energy since morning.

Smooth, seeded, and consistent: the energy is the integral of the power. Knows no protocol. Stands beside the sun because
every family's simulator needs it, and families share nothing else; no run imports it.
"""

import math
import random
from collections.abc import Callable
from typing import NamedTuple

DAY = 86400.0
STEP = 600.0
"""Seconds between the points the integral is made of."""

AWAKE_ABOVE = -3.0
"""Degrees of the sun; units fell silent a quarter of an hour after sunset (KSER's timeline)."""

FEEDING_ABOVE = 2.0
"""Degrees; in the same timeline the last units stopped feeding in a good half hour before sunset."""


class SoFar(NamedTuple):
    """A day up to a moment."""

    full_hours: float
    """Energy, as hours at full power."""
    awake_hours: float
    peak: float
    """The highest share of full power."""


class Daylight:
    """One generator under the sun. `elevation`: unix time → degrees. Times are unix seconds."""

    def __init__(self, elevation: Callable[[float], float], seed: int) -> None:
        self.elevation = elevation
        dice = random.Random(seed)  # noqa: S311 -- clouds, no secrets
        self._turn = dice.random() * math.tau
        self._size = 0.8 + 0.2 * dice.random()
        self._midnight: float | None = None
        self._days: dict[int, list[SoFar]] = {}

    def awake(self, t: float) -> bool:
        return self.elevation(t) > AWAKE_ABOVE

    def load(self, t: float) -> float:
        """Share of full power, 0…1: the height of the sun, and clouds that take hours and minutes to pass."""
        height = math.sin(math.radians(self.elevation(t) - FEEDING_ABOVE))
        if height <= 0.0:
            return 0.0
        turn = self._turn
        clouds = 0.8 + 0.12 * math.sin(t / 1900.0 + turn) + 0.06 * math.sin(t / 290.0 + 2 * turn)
        return height * clouds * self._size

    def today(self, t: float) -> SoFar:
        """The day from the last solar midnight to now."""
        day = self._day(t)
        points = self._points(day)
        since = (t - self._start(day)) / STEP
        at = min(int(since), len(points) - 2)
        part = since - at
        one, two = points[at], points[at + 1]
        return SoFar(
            one.full_hours + part * (two.full_hours - one.full_hours),
            one.awake_hours + part * (two.awake_hours - one.awake_hours),
            max(one.peak, self.load(t)),
        )

    def whole_day(self, t: float, ago: int = 0) -> SoFar:
        """The whole of the day of `t`, or of one so many days ago."""
        return self._points(self._day(t) - ago)[-1]

    def days_between(self, first: float, last: float) -> int:
        """How many times the day changed from one time to the other; 0 when `last` is before."""
        return max(self._day(last) - self._day(first), 0)

    def _start(self, day: int) -> float:
        return day * DAY + (self._midnight or 0.0)

    def _day(self, t: float) -> int:
        if self._midnight is None:
            # Nobody tells us the longitude; the deepest sun of a day does.
            deepest = min((t + i * STEP for i in range(int(DAY / STEP))), key=self.elevation)
            self._midnight = deepest % DAY
        return math.floor((t - self._midnight) / DAY)

    def _points(self, day: int) -> list[SoFar]:
        if day not in self._days:
            points = [SoFar(0.0, 0.0, 0.0)]
            before = 0.0
            for i in range(1, int(DAY / STEP) + 1):
                t = self._start(day) + i * STEP
                load = self.load(t)
                last = points[-1]
                points.append(
                    SoFar(
                        last.full_hours + (before + load) / 2 * STEP / 3600,
                        last.awake_hours + (STEP / 3600 if self.awake(t) else 0.0),
                        max(last.peak, load),
                    )
                )
                before = load
            self._days[day] = points
        return self._days[day]
