import pytest

from pv_exec.box.sun import elevation, phase

OBLIQUITY = 23.44


@pytest.mark.parametrize(
    ("unix_s", "latitude", "longitude", "expected"),
    [  # computed once with ephem 4.2.1: Observer of pressure 0 and elevation 0, altitude of Sun()
        (1782040680, 47.27, 11.39, 66.164),  # 2026-06-21 11:18 UTC
        (1797851520, 47.27, 11.39, 19.291),  # 2026-12-21 11:12
        (1774027800, 0.0, 0.0, 9.340),  # 2026-03-20 17:30
        (1914463200, -34.6, -58.4, -62.570),  # 2030-09-01 03:20 (Buenos Aires)
        (2241864000, 70.0, 25.0, -2.410),  # 2041-01-15 12:00, polar night
        (1770789600, 54.3, 10.1, -7.585),  # 2026-02-11 06:00
        (1782082800, 69.65, 18.96, 3.118),  # 2026-06-21 23:00 (Tromsø), midnight sun
        (1793720700, 47.27, 11.39, 0.711),  # 2026-11-03 15:45
    ],
)
def test_the_sun_stands_where_ephem_has_it(unix_s, latitude, longitude, expected):
    assert elevation(unix_s, latitude, longitude) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(
    ("day", "declination"),
    [(1782000000, OBLIQUITY), (1797811200, -OBLIQUITY)],  # 2026-06-21 and 2026-12-21, 00:00 UTC
)
@pytest.mark.parametrize("latitude", [-34.0, 0.0, 47.27, 55.0])
def test_at_a_solstice_noon_stands_at_the_colatitude_and_the_obliquity(day, declination, latitude):
    noon = max(elevation(day + minute * 60, latitude, 0.0) for minute in range(0, 1440, 2))
    assert noon == pytest.approx(90 - abs(latitude - declination), abs=0.02)


@pytest.mark.parametrize(
    ("day", "minutes"),
    # The equation of time's well-known extremes: sundial ahead 16 min 26 s about 3 November, behind 14 min 14 s about
    # 11 February; so at Greenwich the sun culminates at 11:43:34 and 12:14:14.
    [(1793664000, -16.43), (1770768000, 14.23)],  # 2026-11-03, 2026-02-11
)
def test_noon_wanders_by_the_equation_of_time(day, minutes):
    # Near the latitude the sun is above (15° S on both days): elsewhere its moving declination shifts the highest point.
    noon = max(range(39600, 46800, 5), key=lambda second: elevation(day + second, -14.5, 0.0))
    assert (noon - 43200) / 60 == pytest.approx(minutes, abs=0.15)


def test_the_poles_and_the_zenith_are_ordinary_places():
    assert elevation(1782040680, 90.0, 0.0) == pytest.approx(OBLIQUITY, abs=0.02)
    assert elevation(1782040680, -90.0, 123.0) == pytest.approx(-OBLIQUITY, abs=0.02)
    assert max(elevation(1782000000 + s, OBLIQUITY, 0.0) for s in range(0, 86400, 30)) <= 90.0


def test_twilight_is_neither_night_nor_day():
    assert [phase(at) for at in (-90, -1.01, -1.0, 0.0, 8.0, 8.01, 66)] == [
        "night", "night", "twilight", "twilight", "twilight", "day", "day",
    ]  # fmt: skip
