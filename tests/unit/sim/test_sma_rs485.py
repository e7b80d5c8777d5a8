"""The Sunny Boys of a line, looked at from outside: bytes and times, held against the fact sheet and YASDI's session."""

import struct
from itertools import combinations

import pytest

from pv_exec.box.errors import Usage
from pv_exec.drivers.sma_rs485.simulated import lists
from pv_exec.drivers.sma_rs485.simulated.plate import read as read_list
from pv_exec.drivers.sma_rs485.simulator import FAULTS
from pv_exec.sim import plant
from pv_exec.sim.virtual import VirtualLink
from tests.captures.sma_rs485.frames import MINIMAL_LIST, SERIAL, WR20_SAYS, WR20_TEXTS, session, wr20_list

NOON = 1782036000.0  # 2026-06-21 10:00 UTC
NIGHT = NOON + 12 * 3600
TIME = 1718000000
ONE = f"{SERIAL}:WR20-004:delay=0.03"
TWO = f"{ONE},2000234567:WR20-004"
THREE = f"{TWO},2000345678:WR33-008"
BYTE = 10 / 1200


def bus(inverters=ONE, at: float | None = NOON, **options):
    return VirtualLink(plant.build("sma_rs485", inverters, at=at, **options))


def hear(link, seconds):
    ends = link.now() + seconds
    heard = b""
    while link.now() < ends:
        heard += link.read(ends - link.now())
    return heard


def ask(link, request, seconds=2.5):
    link.write(request)
    return hear(link, seconds)


# -- a codec of our own, written out: what the tests believe does not come from the one under test ----------------------


def crc(data):
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ 0x8408 if register & 1 else register >> 1
    return (register ^ 0xFFFF).to_bytes(2, "little")


def smanet(destination, ctrl, command, data=b"", counter=0, source=0):
    body = b"\xff\x03\x40\x41" + struct.pack("<HHBBB", source, destination, ctrl, counter, command) + data
    out = b""
    for byte in body + crc(body):
        out += bytes((0x7D, byte ^ 0x20)) if byte in b"\x7d\x7e\x11\x12\x13" else bytes((byte,))
    return b"\x7e" + out + b"\x7e"


def sunnynet(destination, ctrl, command, data=b"", counter=0, source=0):
    body = struct.pack("<HHBBB", source, destination, ctrl, counter, command) + data
    return (
        b"\x68" + bytes((len(data), len(data))) + b"\x68" + body + sum(body).to_bytes(2, "little") + b"\x16"
    )


def packets(heard):
    """Every sound SMA-Net packet in a stream: source, destination, ctrl, counter, command, data."""
    found = []
    for piece in heard.split(b"\x7e"):
        plain = bytearray()
        escaped = False
        for byte in piece:
            if byte == 0x7D:
                escaped = True
            else:
                plain.append(byte ^ 0x20 if escaped else byte)
                escaped = False
        if plain[:4] == b"\xff\x03\x40\x41" and crc(plain[:-2]) == plain[-2:]:
            found.append((*struct.unpack("<HHBBB", plain[4:11]), bytes(plain[11:-2])))
    return found


def answer(link, request, seconds=2.5):
    (packet,) = packets(ask(link, request, seconds))
    return packet


START, NET = smanet(0, 0x80, 6), smanet(0, 0x80, 1)


def syn(time=TIME):
    return smanet(0, 0x80, 0x0A, struct.pack("<I", time))


def get_data(address=1, mask=0x090F, channel=0):
    return smanet(address, 0, 0x0B, struct.pack("<HB", mask, channel))


def search(serial):
    return smanet(0, 0x80, 2, struct.pack("<I", serial))


def configure(serial, address):
    return smanet(0, 0x80, 3, struct.pack("<IH", serial, address))


def values(data):
    """The answer of a WR20: name → raw number."""
    assert len(data) == 73
    raws = struct.unpack("<19H5I2B", data[13:])
    return dict(zip([name for name, *_ in WR20_SAYS], raws, strict=True))


def read(link, address=1, time=TIME):
    ask(link, syn(time), 1.2)
    *_, data = answer(link, get_data(address))
    assert data[:13] == struct.pack("<HBHII", 0x090F, 0, 1, time, 1)
    return values(data)


# -- YASDI --------------------------------------------------------------------------------------------------------------


def test_yasdis_recorded_session_passes():
    """Its 26 requests at its own times: 24 answers are the same bytes at the same millisecond, values are our own."""
    link = bus(f"{SERIAL}:WR20-004:delay=0.03:pause=0.714")
    said = session()
    same = 0
    for i, sent in enumerate(said):
        if not sent.by_master:
            continue
        link.sleep(sent.seconds - link.now())
        link.write(sent.data)
        recorded = said[i + 1] if i + 1 < len(said) and not said[i + 1].by_master else None
        if recorded is None:
            continue
        heard = link.read(2.0)
        assert abs(link.now() - len(heard) * BYTE - recorded.seconds) < 0.002
        # YASDI polls every 30 ms, so it lets at least that much pass behind the last byte.
        heard += hear(link, recorded.seconds + len(recorded.data) * BYTE + 0.001 - link.now())
        if recorded.command != "GET_DATA":
            assert heard == recorded.data
            same += 1
        else:
            (ours,), (theirs,) = packets(heard), packets(recorded.data)
            assert ours[:5] == theirs[:5]
            assert ours[5][:13] == theirs[5][:13]
            assert len(ours[5]) == len(theirs[5]) == 73
            assert values(ours[5])["Seriennummer"] == values(theirs[5])["Seriennummer"]
            assert values(ours[5])["Status"] == values(theirs[5])["Status"]
    assert same == 24
    assert link.line.notes == []
    assert link.line.stations.configured == [(SERIAL, 1)]


def test_sma_printed_and_computed_examples_are_answered_as_printed():
    """Of section 14: the answers that hold no measured value."""
    link = bus(f"{SERIAL}:WR20-004:pause=0.1")
    for request, said in [
        (
            "7e ff 03 40 41 00 00 00 00 80 00 06 d7 c0 7e",
            "7e ff 03 40 41 01 00 00 00 40 00 06 40 76 37 77 57 52 32 30 2d 30 30 34 9e 98 7e",
        ),
        (
            "7e ff 03 40 41 00 00 00 00 80 00 02 40 76 37 77 29 c8 7e",
            "7e ff 03 40 41 01 00 00 00 40 00 02 40 76 37 77 57 52 32 30 2d 30 30 34 2a 8e 7e",
        ),
        (
            "7e ff 03 40 41 00 00 00 00 80 00 03 40 76 37 77 02 00 4d 1d 7e",
            "7e ff 03 40 41 02 00 00 00 40 00 03 40 76 37 77 54 29 7e",
        ),
    ]:
        assert ask(link, bytes.fromhex(request)) == bytes.fromhex(said)
    link = bus(f"{SERIAL}:WR20-004:pause=0.1")
    assert ask(link, bytes.fromhex("68 00 00 68 00 00 00 00 80 00 06 86 00 16")) == bytes.fromhex(
        "68 0c 0c 68 01 00 00 00 40 00 06 40 76 37 77 57 52 32 30 2d 30 30 34 77 03 16"
    )


# -- who is there -------------------------------------------------------------------------------------------------------


def test_everybody_answers_to_get_net_start_within_their_random_pause():
    begins = []
    for seed in range(40):
        link = bus(seed=seed)
        link.write(START)
        heard = link.read(6.0)
        begins.append(link.now() - len(heard) * BYTE - 15 * BYTE)
    assert all(0.07 <= begin <= 4.86 for begin in begins)
    assert min(begins) < 0.6
    assert max(begins) > 4.3


def test_who_was_given_an_address_is_quiet_until_a_start_or_a_sync():
    link = bus()
    assert len(packets(ask(link, NET, 6))) == 1
    assert answer(link, configure(SERIAL, 7))[0] == 7
    assert ask(link, NET, 6) == b""
    assert len(packets(ask(link, START, 6))) == 1
    ask(link, configure(SERIAL, 7))
    ask(link, syn())
    assert len(packets(ask(link, NET, 6))) == 1


def test_an_address_holds_and_the_old_one_is_nobodys():
    link = bus()
    ask(link, configure(SERIAL, 200))
    assert ask(link, get_data(1)) == b""
    assert answer(link, get_data(200))[0] == 200
    assert answer(link, search(SERIAL))[0] == 200
    assert link.line.stations.configured == [(SERIAL, 200)]


@pytest.mark.parametrize(
    "request_bytes",
    [
        get_data(2),
        search(1234),
        configure(1234, 5),
        smanet(2, 0, 9),
        smanet(1, 0, 0x0D),
        smanet(1, 0x40, 0x0B, b"\x0f\x09\x00"),
        smanet(1, 0, 0x0B, b"\x0f\x09"),
        smanet(5, 0x80, 6),
        START[:-3] + b"\x00\x00\x7e",
        START[:-1],
        b"#010\r",
        sunnynet(0, 0x80, 6)[:-1],
    ],
)
def test_nobody_answers_what_is_not_for_him(request_bytes):
    assert ask(bus(), request_bytes, 6) == b""


def test_two_with_one_address_both_answer_and_can_be_set_apart():
    link = bus(f"{ONE}:address=3,2000234567:WR20-004:address=3:delay=0.03")
    assert packets(ask(link, get_data(3))) == []
    assert answer(link, search(2000234567))[0] == 3
    assert answer(link, configure(2000234567, 4))[0] == 4
    assert [answer(link, get_data(n))[0] for n in (3, 4)] == [3, 4]


def test_an_unset_address_is_told():
    assert answer(bus(f"{ONE}:address=0"), search(SERIAL))[0] == 0


def test_answers_of_a_round_can_collide_and_then_no_longer():
    link = bus(THREE, spoilt={"collision": ""})
    assert packets(ask(link, START, 6)) == []
    assert 3 in [len(packets(ask(link, NET, 6))) for _ in range(4)]


def test_seed_decides_who_collides():
    """Of section 5: with two, some 9 % of rounds have answers that overlap."""
    alone = 0
    for seed in range(200):
        alone += len(packets(ask(bus(TWO, seed=seed), START, 6))) == 2
    assert 165 <= alone <= 196


# -- channel lists ------------------------------------------------------------------------------------------------------


def download(link, address=1, frame=smanet):
    whole = b""
    counter = 0
    count = 0
    while True:
        *_, left, _, data = answer(link, frame(address, 0, 9, counter=counter), 4.0)
        whole += data
        count += 1
        assert not counter or left == counter - 1
        counter = left
        if not counter:
            return whole, count


def test_the_list_of_a_wr20_comes_in_22_packets():
    assert download(bus()) == (wr20_list(), 22)


def test_a_packet_can_be_asked_for_again_and_again():
    link = bus()
    ask(link, smanet(1, 0, 9), 4)
    first = ask(link, smanet(1, 0, 9, counter=19), 4)
    assert ask(link, smanet(1, 0, 9, counter=19), 4) == first
    assert packets(first)[0][3] == 18
    assert ask(link, smanet(1, 0, 9, counter=22), 4) == b""


def test_packets_are_as_long_as_the_sender_likes():
    link = bus(f"{ONE}:packet=100")
    assert download(link) == (wr20_list(), 56)


def test_values_come_in_several_packets_and_a_bare_follow_up_has_the_mask_asked_last():
    link = bus(f"{ONE}:packet=30")
    ask(link, syn())
    first = answer(link, get_data())
    second = answer(link, smanet(1, 0, 0x0B, counter=2))
    third = answer(link, smanet(1, 0, 0x0B, b"\x0f\x09\x00", counter=1))
    assert [packet[3] for packet in (first, second, third)] == [2, 1, 0]
    whole = first[5] + second[5] + third[5]
    assert values(whole)["Seriennummer"] == SERIAL
    assert whole == answer(bus_synced(), get_data())[5]


def bus_synced():
    link = bus()
    ask(link, syn())
    return link


def test_lists_are_those_of_the_sheet():
    assert lists.load("wr20-004").data == wr20_list()
    assert lists.load("minimal").data == MINIMAL_LIST
    assert {name: len(lists.load(name).channels) for name in lists.names()} == {
        "wr20-004": 114, "wr33-008": 41, "tl20": 35, "english": 11, "minimal": 4,
    }  # fmt: skip


def test_no_cinfo_is_silence_to_it_alone():
    link = bus(spoilt={"no-cinfo": ""})
    assert ask(link, smanet(1, 0, 9), 4) == b""
    assert len(answer(link, get_data())[5]) == 73


@pytest.mark.parametrize(("how", "length"), [("longer", 81), ("reordered", 73)])
def test_another_list_under_the_same_type(how, length):
    """Of issue 46 at Y2M: like a WR20, plus Tkk max, Upv max, h-On; E-Total in Wh."""
    link = bus(spoilt={"other-list": how})
    data = answer(link, get_data())[5]
    assert len(data) == length
    whole, _ = download(link)
    assert whole != wr20_list()
    assert answer(link, search(SERIAL))[5][4:] == b"WR20-004"
    if how == "longer":
        assert b"h-On" in whole
        assert b"E-Total        \0kWh    \0" + struct.pack("<f", 0.001) in whole
        assert struct.unpack_from("<I", data, 13 + 21 * 2 + 4 * 4) == (SERIAL,)
    else:
        assert struct.unpack_from("<I", data, 13 + 19 * 2) == (SERIAL,)
    assert download(bus(f"{ONE}:list=wr20-004+{how}"))[0] == whole


# -- values -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hour", range(-5, 9))
def test_values_agree_with_each_other_from_morning_to_evening(hour):
    says = read(bus(at=NOON + hour * 3600))
    ac = says["Uac"] * says["Iac-Ist"] / 1000
    dc = says["Upv-Ist"] * says["Ipv"] / 1000
    assert abs(ac - says["Pac"]) <= 1
    assert dc >= says["Pac"]
    assert says["Pac"] == 0 or 0.6 < says["Pac"] / dc < 0.96
    assert 0 <= says["Pac"] <= 2000
    assert 220 <= says["Uac"] <= 240
    assert says["Uac-Srr"] == says["Uac"]
    assert 4990 <= says["Fac"] <= 5010
    assert 150 <= says["Tkk"] <= 600
    assert says["Seriennummer"] == SERIAL
    assert WR20_TEXTS["Status"][says["Status"]] in {"Mpp", "Mpp-Such", "Warten"}
    assert (WR20_TEXTS["Status"][says["Status"]] == "Warten") == (says["Pac"] == 0)
    assert says["Fehler"] == 0


def test_the_other_lists_say_the_same_in_their_own_units():
    """A WR33 counts E-Total in Wh and has floats; a TL-20 has three phases and two strings; the English one has A."""
    link = bus(f"{SERIAL}:WR33-008,2:STP-TL20,3:WR25U-01,4:SMALL:list=minimal")
    ask(link, syn())
    small = answer(link, get_data(4))[5]
    assert len(small) == 22
    wr33 = answer(link, get_data(1))[5]
    assert len(wr33) == 96
    head = struct.unpack_from("<14Hf", wr33, 13)
    ppv, pac, uac, iac, upv, ipv = head[14], head[6], head[4], head[2], head[0], head[13]
    assert abs(ppv - upv * ipv / 1000) < 1
    assert abs(uac * iac / 1000 - pac) <= 1
    tl20 = answer(link, get_data(2))[5]
    assert len(tl20) == 149
    a_amp, a_vol, a_watt, b_amp, b_vol, b_watt, ia, ib, ic, hz, ua, ub, uc, wa, wb, wc = struct.unpack_from(
        "<16I", tl20, 13
    )
    assert abs(a_amp * a_vol / 1e5 - a_watt) <= 1
    assert abs(b_amp * b_vol / 1e5 - b_watt) <= 1
    for amp, vol, watt in ((ia, ua, wa), (ib, ub, wb), (ic, uc, wc)):
        assert abs(amp * vol / 1e5 - watt) <= 1
    assert 4990 <= hz <= 5010
    assert a_watt + b_watt >= wa + wb + wc > 1000
    us = answer(link, get_data(3))[5]
    assert len(us) == 40
    vpv, ipv, vac, iac, pac = struct.unpack_from("<5H", us, 13)
    assert abs(vac * iac / 1000 - pac) <= 1
    assert vpv * ipv / 1000 >= pac


def test_energy_is_the_integral_of_power_and_counters_only_rise():
    link = bus(at=None, epoch=NOON - 4 * 3600)
    powers, energies, hours = [], [], []
    for minute in range(0, 480, 2):
        link.sleep(minute * 60 - link.now())
        says = read(link, time=TIME + minute)
        powers.append(says["Pac"])
        energies.append(says["E-Total"] / 60)
        hours.append(says["h-Total"])
    made = sum(powers[1:]) * 120 / 3600
    assert 0.98 < (energies[-1] - energies[0]) / made < 1.02
    assert energies == sorted(energies)
    assert hours == sorted(hours)


def test_sync_freezes_for_all_and_its_time_is_told():
    link = bus(THREE, at=None, epoch=NOON)
    ask(link, syn(), 1.2)
    first = [answer(link, get_data(n))[5] for n in (1, 2, 3)]
    link.sleep(600)
    assert [answer(link, get_data(n))[5] for n in (1, 2, 3)] == first
    ask(link, syn(TIME + 600), 1.2)
    second = [answer(link, get_data(n))[5] for n in (1, 2, 3)]
    assert all(one[13:] != two[13:] for one, two in zip(first, second, strict=True))
    assert [struct.unpack_from("<I", data, 5)[0] for data in second] == [TIME + 600] * 3


def test_one_channel_parameters_and_what_fits_no_channel():
    link = bus_synced()
    pac = answer(link, get_data(mask=0x0901, channel=7))[5]
    assert pac[:3] == b"\x01\x09\x07"
    assert struct.unpack("<H", pac[13:]) == (values(answer(link, get_data())[5])["Pac"],)
    parameters = answer(link, get_data(mask=0x040F))[5]
    assert parameters[:5] == b"\x0f\x04\x00\x01\x00"
    assert len(parameters) == 5 + 51 * 4 + 3
    assert struct.unpack_from("<I", parameters, 5) == (SERIAL,)
    assert ask(link, get_data(mask=0x0901, channel=99)) == b""


def test_night_is_silence_and_morning_needs_no_one():
    link = bus(at=None, epoch=NIGHT)
    assert ask(link, START, 6) + ask(link, get_data()) == b""
    link.sleep(9 * 3600)
    assert read(link)["Seriennummer"] == SERIAL


def test_a_night_costs_the_mark_and_only_who_is_forgetful_its_address():
    for fault, address in (({}, 9), ({"forgetful": ""}, 1)):
        link = bus(at=None, epoch=NOON, spoilt=fault)
        ask(link, configure(SERIAL, 9))
        assert ask(link, NET, 6) == b""
        link.sleep(86400)
        assert answer(link, NET, 6)[0] == address


def test_another_seed_is_another_plant():
    assert read(bus(seed=1)) != read(bus(seed=2))


# -- the line -----------------------------------------------------------------------------------------------------------


def test_both_framings_are_answered_in_kind_unless_one_is_not_known():
    link = bus()
    heard = ask(link, sunnynet(1, 0, 0x0B, b"\x0f\x09\x00"))
    assert heard[:4] == b"\x68\x49\x49\x68"
    assert len(heard) == 14 + 73
    assert sum(heard[4:-3]).to_bytes(2, "little") + b"\x16" == heard[-3:]
    assert ask(link, get_data())[:5] == b"\x7e\xff\x03\x40\x41"
    assert ask(bus(f"{ONE}:framing=sunnynet"), get_data()) == b""
    assert ask(bus(f"{ONE}:framing=smanet"), sunnynet(1, 0, 0x0B, b"\x0f\x09\x00")) == b""


@pytest.mark.parametrize("baudrate", [1200, 9600, 19200])
def test_a_reading_takes_what_the_wire_needs_at_every_speed(baudrate):
    link = bus(baudrate=baudrate)
    link.write(get_data())
    heard = link.read(2)
    while len(packets(heard)) < 1:
        heard += link.read(2)
    assert abs(link.now() - (18 + len(heard)) * 10 / baudrate - 0.03) < 1e-6


def test_a_port_at_another_speed_hears_nothing():
    line = plant.build("sma_rs485", ONE, at=NOON, baudrate=19200)
    assert ask(VirtualLink(line, baudrate=1200), get_data()) == b""
    assert len(packets(ask(VirtualLink(line, start=10.0, baudrate=19200), get_data()))) == 1


def test_answers_come_after_30_to_60_ms():
    link = bus(f"{SERIAL}:WR20-004")
    delays = []
    for _ in range(50):
        asked = link.now()
        link.write(get_data())
        heard = link.read(1.0)
        delays.append(link.now() - asked - (18 + len(heard)) * BYTE)
        hear(link, 1.5)
    assert all(0.03 - 1e-6 <= delay <= 0.06 + 1e-6 for delay in delays)
    assert len({round(delay, 4) for delay in delays}) > 20


def test_requests_may_come_in_pieces_and_after_noise():
    whole = ask(bus_synced(), get_data())
    for framed in range(1, 18):
        link = bus_synced()
        link.write(get_data()[:framed])
        link.sleep(framed * BYTE)
        assert ask(link, get_data()[framed:]) == whole
    link = bus_synced()
    assert ask(link, b"\x00\x68\x05" + get_data()) == whole
    assert ask(link, b"\x68\x05\x05\x68") == b""
    assert ask(link, sunnynet(1, 0, 0x0B, b"\x0f\x09\x00"))[:1] == b"\x68"


# -- what may not be sent -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_bytes",
    [
        smanet(1, 0, 0x0C, b"\x01\x04\x02\x01\x00\x00\x00\x20\x43"),
        smanet(0, 0x80, 0x28, b"\x00" * 8),
        smanet(1, 0, 0x0F),
        smanet(0, 0x80, 0x15),
        smanet(1, 0, 0x20),
        sunnynet(1, 0, 0x0C, b"\x01\x04\x02\x01\x00\x00\x00\x20\x43"),
        smanet(1, 0x40, 0x0B, b"\x0f\x09\x00"),
        smanet(0, 0x80, 3, b"\x40\x76\x37\x77"),
    ],
)
def test_what_writes_is_noted_and_not_answered(request_bytes):
    link = bus()
    assert ask(link, request_bytes, 6) == b""
    assert len(link.line.stations.forbidden) == 1
    assert len(link.line.notes) == 1


def test_cfg_netadr_is_counted_and_no_fault():
    link = bus()
    ask(link, configure(SERIAL, 5))
    ask(link, configure(99, 6))
    assert link.line.stations.configured == [(SERIAL, 5), (99, 6)]
    assert link.line.notes == []


def test_a_request_too_soon_after_the_last_is_noted():
    link = bus()
    link.write(syn())
    link.sleep(19 * BYTE + 0.031)
    link.write(get_data(9))
    link.sleep(18 * BYTE + 0.02)
    link.write(get_data(9))
    assert len(link.line.notes) == 1
    assert "0.020 s after the end" in link.line.notes[0]


# -- the faults ---------------------------------------------------------------------------------------------------------


def conversation(link):
    heard = []
    for request, seconds in (
        (START, 6), (NET, 6), (NET, 6), (search(SERIAL), 6), (search(2000234567), 6), (smanet(1, 0, 9), 4), (syn(), 1.2),
        (get_data(1), 2), (get_data(2), 2), (get_data(3), 2), (get_data(1), 2), (get_data(2), 2),
    ):  # fmt: skip
        asked = link.now()
        link.write(request)
        first = link.read(seconds)
        heard.append((link.now() - asked, first + hear(link, asked + seconds - link.now())))
    return heard


@pytest.mark.parametrize("name", sorted(set(FAULTS) - {"forgetful"}))
def test_every_fault_works_with_its_default(name):
    of_several = {"swapped", "collision", "same-address"}
    for inverters in (THREE, *([ONE] if name not in of_several else [])):
        link = bus(inverters, spoilt={name: ""})
        assert conversation(link) != conversation(bus(inverters))
        assert link.line.stations.notes == []


def test_one_can_be_dark():
    link = bus(THREE, spoilt={"dark": "2000234567"})
    assert [len(packets(ask(link, get_data(n)))) for n in (1, 2, 3)] == [1, 0, 1]
    assert ask(link, search(2000234567), 6) == b""


def test_lost_answers_are_lost_at_random_or_only_the_first():
    link = bus(spoilt={"lost": "0.5"})
    came = sum(bool(ask(link, get_data())) for _ in range(200))
    assert 70 < came < 130
    link = bus(spoilt={"lost": "1", "first": "1"})
    assert [len(packets(ask(link, get_data()))) for _ in range(3)] == [0, 1, 1]


@pytest.mark.parametrize("name", ["wrong-sum", "no-start", "no-stop", "preamble"])
def test_framing_faults_change_nothing_else(name):
    right = ask(bus_synced(), get_data())
    link = bus(spoilt={name: ""})
    ask(link, syn())
    wrong = ask(link, get_data())
    if name == "wrong-sum":
        assert len(wrong) == len(right)
        assert sum((a ^ b).bit_count() for a, b in zip(right, wrong, strict=True)) == 1
        assert packets(wrong) == []
        heard = ask(link, sunnynet(1, 0, 0x0B, b"\x0f\x09\x00"))
        assert sum(heard[4:-3]).to_bytes(2, "little") != heard[-3:-1]
    else:
        expected = {
            "no-start": right[1:],
            "no-stop": right[:-1],
            "preamble": b"\xaa\xaa" + right + b"\x55\x55",
        }
        assert wrong == expected[name]


def test_a_flag_can_be_shared_with_a_foreign_telegram():
    link = bus(spoilt={"shared-flag": ""})
    ask(link, syn())
    heard = ask(link, get_data(), 4)
    assert heard.count(b"\x7e") == 3
    foreign, ours = packets(heard)
    assert (foreign[0], foreign[1]) == (0xFF, 0xFE)
    assert (ours[0], ours[1]) == (1, 0)
    assert foreign[2:] == ours[2:]


def test_a_late_search():
    link = bus(spoilt={"search-late": ""})
    waits = []
    for _ in range(20):
        asked = link.now()
        link.write(search(SERIAL))
        heard = link.read(6)
        waits.append(link.now() - asked - (len(heard) + 19) * BYTE)
        hear(link, 1)
    assert all(0.07 <= wait <= 4.86 for wait in waits)
    assert max(waits) > 2


def test_a_stranger_on_an_address_makes_soup_of_its_answers():
    link = bus(THREE, spoilt={"twin": ""})
    ask(link, syn())
    assert packets(ask(link, get_data(1))) == []
    assert len(packets(ask(link, get_data(2)))) == 1
    assert answer(link, search(SERIAL))[0] == 1
    ask(link, configure(SERIAL, 50))
    assert values(answer(link, get_data(50))[5])["Seriennummer"] == SERIAL
    assert values(answer(link, get_data(1))[5])["Seriennummer"] != SERIAL


def where(link, serials=(SERIAL, 2000234567, 2000345678)):
    return [heard[0][0] if (heard := packets(ask(link, search(serial), 6))) else None for serial in serials]


def test_addresses_over_night():
    assert where(bus(THREE)) == [1, 2, 3]
    assert where(bus(THREE, spoilt={"swapped": ""})) == [2, 1, 3]
    assert where(bus(THREE, spoilt={"moved": ""})) == [1, 2, 101]
    assert where(bus(THREE, spoilt={"moved": str(SERIAL)})) == [101, 2, 3]
    assert where(bus(THREE, spoilt={"same-address": ""})) == [1, 2, 1]
    assert where(bus(THREE, spoilt={"exchanged": ""})) == [None, 2, 3]


def test_swapped_inverters_tell_their_own_serial_numbers():
    link = bus(THREE, spoilt={"swapped": ""})
    assert [read(link, n)["Seriennummer"] for n in (1, 2)] == [2000234567, SERIAL]


def test_an_exchanged_inverter_tells_another_number():
    says = read(bus(THREE, spoilt={"exchanged": ""}))
    assert says["Seriennummer"] not in {SERIAL, 2000234567, 2000345678}


def test_a_wrong_time():
    link = bus(spoilt={"wrong-time": ""})
    ask(link, syn())
    assert struct.unpack_from("<I", answer(link, get_data())[5], 5) == (TIME - 60,)


def test_all_ones_and_zeros():
    says = read(bus(spoilt={"all-ones": ""}))
    assert {name for name, raw in says.items() if raw in {0xFFFF, 0xFFFFFFFF}} == set(says) - {
        "Seriennummer", "Status", "Fehler",
    }  # fmt: skip
    plain, one = read(bus()), read(bus(spoilt={"all-ones": "Pac"}))
    assert one == plain | {"Pac": 0xFFFF}
    morning = read(bus(spoilt={"zeros": ""}))
    for name in ("Fac", "Pac", "Tkk", "E-Total", "h-Total"):
        assert morning[name] == 0
    for name in ("Upv-Ist", "Uac", "Seriennummer", "Netz-Ein"):
        assert morning[name] == plain[name]


def test_a_second_master_speaks_on_its_own():
    link = bus(TWO, spoilt={"foreign-master": "10"})
    ask(link, search(SERIAL))
    heard = packets(hear(link, 60))
    syns = [packet for packet in heard if packet[4] == 0x0A]
    data = [packet for packet in heard if packet[4] == 0x0B and packet[2] == 0x40]
    assert 5 <= len(syns) <= 6
    assert {packet[0] for packet in data} == {1, 2}
    assert 10 <= len(data) <= 12
    assert {packet[5][5:9] for packet in data} == {syns[0][5]}


def test_a_second_master_freezes_and_disturbs():
    """Asked between its rounds, a station tells the second master's time once that has been said."""
    link = bus(TWO, spoilt={"foreign-master": "10"})
    ask(link, syn(), 1.2)
    assert struct.unpack_from("<I", answer(link, get_data())[5], 5) == (TIME,)
    hear(link, 17.0 - link.now())
    asked = packets(ask(link, get_data()))
    (time,) = struct.unpack_from("<I", asked[0][5], 5)
    assert time not in {TIME, 0}
    link.read(0)
    hear(link, 20.05 - link.now())  # in the middle of its next SYN_ONLINE
    assert packets(ask(link, get_data(), 0.9)) == []
    assert link.line.stations.notes == []


def test_a_fault_can_be_kept_to_the_first_answers_or_one_inverter():
    link = bus(THREE, spoilt={"wrong-sum": "", "first": "1"})
    assert [len(packets(ask(link, get_data()))) for _ in range(2)] == [0, 1]
    link = bus(THREE, spoilt={"wrong-sum": "", "only": "2000234567"})
    assert [len(packets(ask(link, get_data(n)))) for n in (1, 2, 3)] == [1, 0, 1]
    link = bus(THREE, spoilt={"truncate": "20", "only": "2000234567"})
    assert [len(packets(ask(link, get_data(n)))) for n in (1, 2, 3)] == [1, 0, 1]
    assert where(bus(THREE, spoilt={"moved": "", "only": str(SERIAL)})) == [101, 2, 3]


def test_faults_of_any_line_work_here_too():
    for name in ("night", "echo", "nul", "noise-before", "truncate", "drop", "slow", "late", "chunks"):
        link = bus(spoilt={name: ""})
        ask(link, syn())
        heard = [len(packets(ask(link, get_data(), 0.9))) for _ in range(3)]
        assert heard != [1, 1, 1] or name in {"echo", "nul", "noise-before", "drop", "chunks", "late"}, name
    link = bus(spoilt={"late": "1"})
    assert len(packets(ask(link, get_data(), 4))) == 2


# -- what is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "inverters",
    ["", "x:WR20-004", "0:WR20-004", "4294967295:WR20-004", "1", "1:", "1:WR20-00456", "1:WR20-004,1:WR20-004",
     "1:WR20-004:colour=red", "1:WR20-004:list=none", "1:WR20-004:list=minimal+other", "1:WR20-004:address=65536",
     "1:WR20-004:delay=x", "1:WR20-004:delay=-1", "1:WR20-004:framing=ppp", "1:WR20-004:packet=0", "1:WR20-004:packet=9"],
)  # fmt: skip
def test_a_list_that_makes_no_sense_is_refused_with_a_sentence(inverters):
    with pytest.raises(ValueError, match=" "):
        read_list(inverters)


@pytest.mark.parametrize(
    ("name", "value"),
    [("rain", ""), ("dark", "7"), ("twin", "x"), ("lost", "2"), ("wrong-time", "x"), ("collision", "x"), ("other-list", "x"),
     ("foreign-master", "1"), ("only", "x"), ("truncate", "-1")],
)  # fmt: skip
def test_a_fault_that_makes_no_sense_is_a_wrong_command_line(name, value):
    with pytest.raises(Usage):
        plant.build("sma_rs485", spoilt={name: value})


def test_serial_numbers_of_the_default_plant_differ():
    plates = read_list(plant.simulator("sma_rs485").INVERTERS)
    assert all(a.serial != b.serial and a.address != b.address for a, b in combinations(plates, 2))
