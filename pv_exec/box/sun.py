"""How high the sun stands, to tell a sleeping inverter from a silent one.

The low-precision formulas of the Astronomical Almanac (mean longitude and anomaly of the sun, obliquity, Greenwich mean
sidereal time), good to 0.01° from 1950 to 2050: facts WATCHDOG §2.1, where they were held against ephem 4.2.1. An
elevation, unlike sunrise and sunset, needs no special case for polar days and nights.
"""

from math import asin, atan2, cos, degrees, radians, sin

NIGHT_BELOW_DEG = -1.0
DAY_ABOVE_DEG = 8.0
"""Below -1° it is night for sure. A threshold of day at 10° would leave 2.6 h a day in a December at 55° N (facts WATCHDOG §2.1)."""


def elevation(unix_s: float, latitude_deg: float, longitude_deg: float) -> float:
    """Degrees of the sun's centre above the horizon, without refraction; north and east are positive."""
    days = unix_s / 86400.0 - 10957.5  # since J2000.0, 2000-01-01 12:00
    anomaly = radians(357.528 + 0.9856003 * days)
    longitude = radians(280.460 + 0.9856474 * days + 1.915 * sin(anomaly) + 0.020 * sin(2 * anomaly))
    obliquity = radians(23.439 - 0.0000004 * days)
    right_ascension = atan2(cos(obliquity) * sin(longitude), cos(longitude))
    declination = asin(sin(obliquity) * sin(longitude))
    sidereal = radians(280.46062 + 360.98564737 * days)  # Greenwich mean sidereal time, as an angle
    hour_angle = sidereal + radians(longitude_deg) - right_ascension
    latitude = radians(latitude_deg)
    height = sin(latitude) * sin(declination) + cos(latitude) * cos(declination) * cos(hour_angle)
    return degrees(asin(max(-1.0, min(1.0, height))))  # rounding may pass 1 under the zenith


def phase(elevation_deg: float) -> str:
    """night, day, or twilight between them, in which a dark inverter is neither expected nor an alarm."""
    if elevation_deg < NIGHT_BELOW_DEG:
        return "night"
    return "day" if elevation_deg > DAY_ABOVE_DEG else "twilight"
