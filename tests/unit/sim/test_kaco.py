"""The Kaco stations, looked at from outside: bytes and times, held against the fact sheet."""

import re
from math import sqrt

import pytest

from pv_exec.box.errors import Usage
from pv_exec.drivers.kaco.simulated.kinds import read_list
from pv_exec.drivers.kaco.simulator import FAULTS
from pv_exec.sim import plant
from pv_exec.sim.virtual import VirtualLink

NOON = 1782036000.0  # 2026-06-21 10:00 UTC
NIGHT = NOON + 12 * 3600
XI = rb"\n\*(\d\d)0 ([ \d]{3}) ([ \d.]{5}) ([ \d.]{5}) ([ \d]{5}) ([ \d.]{5}) ([ \d.]{5}) ([ \d]{5}) ([ \d]{3}) ([ \d]{6}) "
"""Family 00 up to its checksum, from the table of §5.1."""
EVERY = "1:8000xi,2:3x10k,3:390TL,4:100k,5:200kTL:family=xp,6:9600I,7:086L32,8:50kH3P,9:87L32:noe=17"


def bus(inverters="1:8000xi,2:5000xi,3:390TL", at=NOON, **options):
    return VirtualLink(plant.build("kaco", inverters, at=at, **options))


def ask(link, request, seconds=1.0):
    link.write(request)
    ends = link.now() + seconds
    heard = b""
    while link.now() < ends:
        heard += link.read(ends - link.now())
    return heard


def sum_fits(frame, at=57):
    return sum(frame[1:at]) % 256 == frame[at]


def crc_fits(frame):
    """CRC-16/X-25, written out bit by bit as §6.1 does."""
    crc = 0xFFFF
    for byte in frame[1:-5]:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0x8408 if crc & 1 else crc >> 1
    return frame[-5:-1] == b"%04X" % (crc ^ 0xFFFF)


def test_an_xi_answers_66_bytes_with_a_right_sum():
    frame = ask(bus(), b"#010\r")
    assert len(frame) == 66
    assert re.match(XI, frame)
    assert frame[58:] == b" 8000xi\r"
    assert sum_fits(frame)


def test_an_xi_tells_its_totals_without_a_header_in_59_bytes():
    link = bus()
    energy = int(ask(link, b"#010\r")[50:56])
    frame = ask(link, b"#013\r")
    assert len(frame) == 59
    assert re.fullmatch(rb"\n[ \d]{6} [ \d]{6} [ \d]{6} [ \d]{6}( [ \d]{6}:\d\d){3}\r", frame)
    assert int(frame.split()[1]) == energy


def test_a_000xi_points_to_its_three_parts():
    link = bus("12:3x10k")
    assert ask(link, b"#120\r") == b"\n*124\r"
    for n in (b"1", b"2", b"3"):
        frame = ask(link, b"#12" + n + b"\r")
        assert len(frame) == 65
        assert sum_fits(frame, 58)
        assert frame[59:] == b" 10k" + n + b"\r"


@pytest.mark.parametrize(
    ("inverter", "elements", "payload"),
    [("086L32", 20, 17), ("390TL", 23, 20), ("50kH3P", 16, 13), ("87L32:noe=17", 17, 14), ("protect", 11, 8)],
)
def test_generic_frames_have_as_many_elements_as_they_say_and_a_right_crc(inverter, elements, payload):
    frame = ask(bus(f"3:{inverter}"), b"#030\r")
    assert crc_fits(frame)
    tokens = frame.split()
    assert tokens[:2] == [b"*03n", b"%d" % elements]
    assert len(tokens) == payload + 5


def test_xp_speaks_both_paddings():
    assert re.match(rb"\n\*040  35 \d{3}\.\d \d+\.\d0 0\d{5} ", ask(bus("4:100k"), b"#040\r"))
    wide = ask(bus("5:200kTL:family=xp"), b"#050\r")
    assert re.match(rb"\n\*050 035 \d{3}\.\d \d{3}\.\d\d \d{6} \d{3}\.\d \d{3}\.\d\d \d{6} \d\d \d{7} ", wide)
    assert re.search(rb" 200kTL \d{9}\r$", wide)


def test_commands_8_9_and_s_are_answered_by_those_who_know_them():
    link = bus("1:8000xi,2:086L32,3:3x10k")
    assert ask(link, b"#018\r") == b"\n*018 K222.36DE 6817\r"
    assert len(ask(link, b"#028\r")) == 56
    assert ask(link, b"#019\r")[:12] == b"\n*019 8000xi"
    assert ask(link, b"#01s\r") == b""
    assert crc_fits(ask(link, b"#02s\r"))
    assert ask(link, b"#011\r") == ask(link, b"#012\r") == b""
    assert ask(link, b"#038\r") == b""


@pytest.mark.parametrize(
    "broken",
    [
        b"#040\r",
        b"#000\r",
        b"#330\r",
        b"010\r",
        b"#01\r",
        b"#010",
        b"#0100\r",
        b"#01b\r",
        b"#014\r",
        b"\xff\xff",
        b"# 10\r",
    ],
)
def test_nobody_answers_what_is_not_for_him(broken):
    assert ask(bus(), broken) == b""


def test_requests_may_come_in_pieces_and_with_a_line_feed():
    link = bus()
    whole = ask(link, b"#010\r")
    link.write(b"#0")
    link.sleep(0.01)
    assert ask(link, b"10\r") == whole
    assert ask(link, b"#010\r\n") == whole
    assert ask(link, b"#010\r") == whole


def test_what_a_reader_may_not_do_is_noted():
    link = bus()
    ask(link, b"#010\r", 1.0)
    ask(link, b"#020\r", 1.0)
    assert link.line.notes == []
    ask(link, b"#010\r", 0.999)
    ask(link, b"#010\r", 1.0)
    assert link.line.stations.too_early == ["at 2.999 s: b'#010\\r' came 0.999 s after the request before it"]
    ask(link, b"#01b018\r")
    ask(link, b"#017\r")
    assert len(link.line.stations.forbidden) == 2
    assert len(link.line.notes) == 3


def test_jitter_of_a_real_clock_is_no_fault():
    link = VirtualLink(plant.build("kaco", at=NOON, jitter=0.005))
    ask(link, b"#010\r", 0.996)
    ask(link, b"#010\r", 0.994)
    ask(link, b"#010\r", 1.0)
    assert len(link.line.notes) == 1


def test_delays_lie_where_they_were_measured_and_differ():
    link = bus(EVERY)
    delays = []
    for address in range(1, 10):
        asked = link.now()
        link.write(b"#%02d0\r" % address)
        first = link.read(1.0)
        delays.append(link.now() - asked - (5 + len(first)) * 10 / 9600)
        link.sleep(1.0)
        link.read(0.0)
    assert all(0.04 <= delay <= 0.43 for delay in delays)
    assert len({round(delay, 3) for delay in delays}) == 9


def test_a_delay_can_be_set():
    link = bus("1:8000xi:delay=1.75")
    assert ask(link, b"#010\r", 1.75) == b""
    assert len(ask(link, b"", 1.0)) == 66


@pytest.mark.parametrize("hour", range(-5, 8))
def test_values_agree_with_each_other_from_morning_to_evening(hour):
    link = bus(EVERY, at=NOON + hour * 3600)
    for address in (1, 6):
        frame = re.match(XI, ask(link, b"#%02d0\r" % address))
        assert frame
        status, u, i, p, un, in_, pn, t, e = (float(field) for field in frame.groups()[1:])
        assert abs(u * i - p) <= 1.1  # 14 real frames
        assert pn <= p
        assert pn <= un * in_ + 3
        assert status in {4, 5} or pn == 0
        assert 0 <= t < 75
        assert e >= 0
    tokens = ask(link, b"#030\r").split()
    numbers = [float(token) for token in tokens[4:-1]]
    strings = sum(numbers[2:9:3])
    p_dc, p_ac = numbers[15], numbers[16]
    assert abs(strings - p_dc) <= 1
    assert p_ac <= p_dc * 1.02
    assert p_ac <= sum(numbers[i] * numbers[i + 1] for i in (9, 11, 13)) + 30
    u, i, p, un, in_, pn = (float(x) for x in ask(link, b"#040\r").split()[2:8])
    assert abs(u * i - p) <= 50
    assert pn <= un * in_ * sqrt(3) + 100


def test_reactive_current_flows_at_low_load():
    dawn = bus(at=NOON - 6.2 * 3600)
    un, in_, pn = (float(x) for x in ask(dawn, b"#010\r").split()[5:8])
    assert 0 < pn < 200
    assert un * in_ > pn * 1.05


def test_two_readings_of_a_standing_sun_agree():
    link = bus(EVERY)
    first = [ask(link, b"#%02d0\r" % address) for address in range(1, 10)]
    link.sleep(5000.0)
    assert [ask(link, b"#%02d0\r" % address) for address in range(1, 10)] == first


def test_energy_is_the_integral_of_power_and_the_total_grows_by_it():
    link = VirtualLink(plant.build("kaco", "1:8000xi:totals=header:unit=Wh"), start=NOON - 4 * 3600)
    powers, energies, totals = [], [], []
    for _ in range(240):
        powers.append(int(ask(link, b"#010\r")[40:45]))
        values = ask(link, b"#013\r").split()
        energies.append(int(values[2]))
        totals.append(int(values[4]))
        link.sleep(118.0)
    assert energies == sorted(energies)
    made = sum(powers) * 120 / 3600
    grown = energies[-1] - energies[0]
    assert 0.93 < grown / made < 1.08  # what the AC side loses is not in the counter's model
    assert abs((totals[-1] - totals[0]) - grown) <= 1


def test_totals_grow_on_over_midnight_and_energy_starts_anew():
    link = VirtualLink(plant.build("kaco", "1:8000xi"), start=NOON + 3 * 3600)
    before = ask(link, b"#013\r").split()
    link.sleep(22 * 3600)
    after = ask(link, b"#013\r").split()
    assert int(after[3]) > int(before[3])
    assert 0 < int(after[1]) < int(before[1])


def test_another_seed_is_another_plant():
    assert ask(bus(seed=1), b"#010\r") != ask(bus(seed=2), b"#010\r")


def test_night_is_silence_and_morning_needs_no_one():
    link = VirtualLink(plant.build("kaco", "1:8000xi"), start=NIGHT)
    assert ask(link, b"#010\r") == b""
    link.sleep(9 * 3600)
    assert len(ask(link, b"#010\r")) == 66


# ------------------------------------------------------------------------------------------------------------ the faults


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_works_with_its_default(name):
    link = bus(EVERY, spoilt={name: ""})
    plain = bus(EVERY)
    requests = [
        b"#%02d%s\r" % (address, command) for address in range(1, 10) for command in (b"0", b"3", b"3", b"9")
    ]
    heard = [ask(link, request) for request in requests]
    assert heard != [ask(plain, request) for request in requests]
    assert link.line.notes == []


def test_one_can_be_dark():
    link = bus(spoilt={"dark": "2"})
    assert [len(ask(link, b"#%02d0\r" % address)) for address in (1, 2)] == [66, 0]


def test_status_15_lasts_two_minutes():
    link = bus(spoilt={"status15": ""})
    frame = ask(link, b"#010\r")
    assert frame[6:9] == b" 15"
    assert sum_fits(frame)
    link.sleep(110.0)
    assert len(ask(link, b"#010\r")) == 66
    link.sleep(10.0)
    assert ask(link, b"#010\r") == b""


@pytest.mark.parametrize("wanted", ["0A", "0D", "20", "00", "11", "13", "FF", "2A", "23"])
@pytest.mark.parametrize(
    ("inverter", "request_bytes"), [("8000xi", b"#010\r"), ("3x10k", b"#012\r"), ("100k", b"#010\r")]
)
def test_a_sum_can_be_any_byte_and_is_right(wanted, inverter, request_bytes):
    frame = ask(bus(f"1:{inverter}", spoilt={"checksum": wanted}), request_bytes)
    places = [at for at in range(50, len(frame)) if sum_fits(frame, at) and frame[at] == int(wanted, 16)]
    assert places


def test_totals_tell_the_same_energy_as_the_frame_with_the_wanted_sum():
    link = bus(spoilt={"checksum": "0A"})
    assert int(ask(link, b"#010\r")[50:56]) == int(ask(link, b"#013\r").split()[1])


def test_a_wrong_sum_is_the_only_thing_wrong():
    right, wrong = ask(bus(), b"#010\r"), ask(bus(spoilt={"wrong-sum": ""}), b"#010\r")
    assert [at for at in range(66) if right[at] != wrong[at]] == [57]
    right, wrong = ask(bus(), b"#030\r"), ask(bus(spoilt={"wrong-sum": ""}), b"#030\r")
    assert [at for at, (a, b) in enumerate(zip(right, wrong, strict=True)) if a != b] == [len(right) - 2]
    assert not crc_fits(wrong)


def test_a_flipped_digit_is_the_only_thing_wrong():
    link = bus(spoilt={"digit-flip": ""})
    right = ask(bus(), b"#010\r")
    for _ in range(20):
        wrong = ask(link, b"#010\r")
        (at,) = (at for at in range(66) if right[at] != wrong[at])
        assert 6 <= at < 56
        assert chr(wrong[at]).isdigit()


def test_a_foreign_address_has_a_right_sum():
    link = bus(spoilt={"foreign": ""})
    frame = ask(link, b"#010\r")
    assert frame[:5] == b"\n*090"
    assert sum_fits(frame)
    assert crc_fits(ask(link, b"#030\r"))


def test_two_units_on_one_address_sound_as_they_were_recorded():
    """Of §13.4: command 9 gives two frames, command 0 about 70 clean bytes and then soup."""
    link = bus("1:6400xi", spoilt={"twin": ""})
    assert ask(link, b"#019\r") == b"\n*019 086L32 S\r\n*019 6400xi \xaf\r"
    heard = ask(link, b"#010\r")
    assert heard[:70].isascii()
    assert heard.startswith(b"\n*01n 20 086L32 ")
    assert not heard.isascii()
    assert 120 < len(heard) < 140
    assert ask(link, b"#013\r").count(b"\r") == 2


def test_a_frame_can_end_with_its_sum_or_without_its_cr():
    bare = ask(bus(spoilt={"no-type": ""}), b"#010\r")
    assert len(bare) == 58
    assert sum_fits(bare)
    assert ask(bus(), b"#010\r") == ask(bus(spoilt={"no-cr": ""}), b"#010\r") + b"\r"


def test_status_and_power_factor_are_said_with_right_sums():
    frame = ask(bus(spoilt={"status": ""}), b"#010\r")
    assert frame[6:9] == b"121"
    assert sum_fits(frame)
    for value, shows in [("unity", b"1.000"), ("i", b"0.735i"), ("c", b"0.957c")]:
        frame = ask(bus(spoilt={"cosphi": value}), b"#030\r")
        assert frame.split()[-4] == shows
        assert crc_fits(frame)


def test_totals_come_in_both_shapes_or_not_at_all():
    assert ask(bus(spoilt={"totals": ""}), b"#013\r").startswith(b"\n*013 ")
    assert not ask(bus(spoilt={"totals": "bare"}), b"#033\r").startswith(b"\n*")
    assert ask(bus(spoilt={"no-totals": ""}), b"#013\r") == b""
    assert len(ask(bus(spoilt={"no-totals": ""}), b"#010\r")) == 66


def test_a_total_can_be_cleared():
    link = bus(spoilt={"total-reset": ""})
    first, second = ask(link, b"#013\r").split(), ask(link, b"#013\r").split()
    assert int(first[3]) > 1000
    assert int(second[3]) == 0
    assert second[6] == b"0:00"
    assert first[1] == second[1]


def test_who_is_woken_at_night_tells_of_yesterday():
    evening, night = bus(at=NOON + 8.9 * 3600), bus(at=NIGHT + 4 * 3600, spoilt={"stale-day": ""})
    yesterday = int(ask(evening, b"#010\r")[50:56])
    frame = ask(night, b"#010\r")
    assert yesterday > 10_000
    assert abs(int(frame[50:56]) - yesterday) < 100
    assert frame[40:45] == b"    0"


def test_a_fault_of_the_protocol_can_be_kept_to_the_first_answers_or_one_station():
    link = bus(spoilt={"no-type": "", "first": "1"})
    assert [len(ask(link, b"#010\r")) for _ in range(2)] == [58, 66]
    link = bus(spoilt={"no-type": "", "only": "2"})
    assert [len(ask(link, b"#%02d0\r" % address)) for address in (1, 2)] == [66, 58]


# ------------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    "inverters",
    ["", "1", "1:", "0:8000xi", "33:8000xi", "x:8000xi", "1:8000xi,1:5000xi", "1:8000xi:colour=red", "1:8000xi:delay=x",
     "1:8000xi:unit=J", "1:8000xi:totals=some"],
)  # fmt: skip
def test_a_list_that_makes_no_sense_is_refused_with_a_sentence(inverters):
    with pytest.raises(ValueError, match=" "):
        read_list(inverters)


@pytest.mark.parametrize(
    ("name", "value"),
    [("rain", ""), ("dark", "7"), ("twin", "9"), ("checksum", "GG"), ("foreign", "x"), ("cosphi", "z"), ("totals", "x"),
     ("status15", "long"), ("truncate", "-1")],
)  # fmt: skip
def test_a_fault_that_makes_no_sense_is_a_wrong_command_line(name, value):
    with pytest.raises(Usage):
        plant.build("kaco", spoilt={name: value})


def test_a_family_without_a_simulator_is_a_wrong_command_line():
    with pytest.raises(Usage, match="abacus"):
        plant.build("abacus")
