"""Learning a bus against simulated inverters, in virtual time: who is there, where, and with which list."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings, strategies as st

from pv_exec.box.errors import PortMissing
from pv_exec.conversation import Conversation, Keep
from pv_exec.drivers.sma_rs485 import driver, frames
from pv_exec.drivers.sma_rs485.learn import BAUDRATES, learn, lines
from pv_exec.drivers.sma_rs485.memory import Memory
from pv_exec.drivers.sma_rs485.messages import CFG_NETADR, FRAMINGS, GET_CINFO
from pv_exec.model import Bus, Found, Inverter, Outcome, Progress
from pv_exec.run.pump import Terms, pump
from pv_exec.sim import plant
from pv_exec.sim.line import Line
from pv_exec.sim.virtual import VirtualLink
from tests.captures.sma_rs485.frames import wr20_list

NOON = 1_782_036_000.0
ONE, TWO, THREE = 2000123456, 2000234567, 2000345678
PAIR = f"{ONE}:WR20-004,{TWO}:WR20-004"
LIST = "list-wr20_004-"


class Killed(Exception):
    """What stands for a kill."""


class Did(NamedTuple):
    """What came of one learning."""

    kept: dict[str, bytes]
    reports: list[Outcome | Found | Progress]
    sent: list[bytes]
    seconds: float
    line: Line

    @property
    def found(self) -> dict[int, str]:
        return {int(one.keys["serial"]): one.text for one in self.reports if isinstance(one, Found)}

    @property
    def failed(self) -> dict[str, str]:
        return {one.inverter: one.state for one in self.reports if isinstance(one, Outcome)}

    @property
    def remarks(self) -> list[str]:
        return [one.text for one in self.reports if isinstance(one, Progress) and not one.total]

    @property
    def units(self) -> dict[int, Any]:
        return Memory(self.kept).units

    def asked(self, command: int) -> int:
        return sum(
            packet.command == command
            for data in self.sent
            for framing in FRAMINGS
            for packet in frames.take(data, framing).packets
        )


def learned(
    inverters: str,
    faults: dict[str, str] | None = None,
    *,
    serials: tuple[int, ...] = (),
    expect: int = 0,
    kept: dict[str, bytes] | None = None,
    seed: int = 0,
    at: float = NOON,
    line: Line | None = None,
    budget: float = 3600.0,
    kill_after: int = 0,
    **options: Any,
) -> Did:
    """Perform one learning; `kill_after`: it is killed when so many things have been kept."""
    line = line or plant.build("sma_rs485", inverters, seed=seed, spoilt=faults, at=at)
    link = VirtualLink(line)
    listed = tuple(Inverter(f"roof-{serial}", driver.Unit(serial)) for serial in serials)
    memory = dict(kept or {})
    bus = Bus(
        "roof",
        listed,
        driver.Options(**options),
        wall=NOON,
        boot_id="b",
        budget=budget,
        expect=expect,
        kept=dict(memory),
    )
    reports: list[Outcome | Found | Progress] = []
    sent: list[bytes] = []
    keeps = 0

    def keep(step: Keep) -> None:
        nonlocal keeps
        memory[step.name] = step.data
        keeps += 1
        if keeps == kill_after:
            raise Killed

    class Noted:
        read, close = link.read, link.close

        def write(self, data: bytes) -> None:
            sent.append(data)
            link.write(data)

    wire = driver.wire(bus)
    talk: Conversation[None] = learn(bus)
    try:
        pump(talk, Noted(), Terms(link.now, budget, wire.gap, wire.quiet), reports.append, keep)
    except (Killed, PortMissing):
        pass
    assert line.stations.notes == []  # what was never to be sent, or too early
    return Did(memory, reports, sent, link.now(), line)


def list_names(did: Did) -> list[str]:
    return sorted(name for name in did.kept if name.startswith("list-"))


# -- who is there ------------------------------------------------------------------------------------------------------


def test_one_inverter_nobody_knows_of():
    did = learned(f"{ONE}:WR20-004")
    assert did.found == {ONE: "WR20-004 at address 1"}
    assert did.failed == {}
    (name,) = list_names(did)
    assert did.kept[name] == b"\x0a" + wr20_list()
    assert tuple(did.units[ONE]) == (1, "WR20-004", "smanet", name)


def test_a_list_takes_little_more_than_its_time_on_the_wire():
    did = learned(f"{ONE}:WR20-004", expect=1)
    # 333 bytes of questions and 5922 of answers at 1200 baud are 52.1 s; detection takes 10.1 s at the most, CFG 0.4.
    assert did.seconds < 52.1 * 1.05 + 10.1 + 0.6


def test_one_list_serves_all_of_its_type():
    did = learned(PAIR, expect=2)
    assert set(did.found) == {ONE, TWO}
    assert len(list_names(did)) == 1
    assert did.asked(GET_CINFO) == 22


def test_two_lists_under_one_type():
    did = learned(f"{ONE}:WR20-004,{TWO}:WR20-004:list=wr20-004+longer", expect=2)
    assert len(list_names(did)) == 2
    assert did.units[ONE].list != did.units[TWO].list
    again = learned(f"{ONE}:WR20-004,{TWO}:WR20-004:list=wr20-004+longer", expect=2, kept=did.kept)
    assert (again.asked(GET_CINFO), again.units) == (0, did.units)


def test_two_lists_of_one_length_under_one_type_are_told_by_the_serial_number():
    did = learned(f"{ONE}:WR20-004,{TWO}:WR20-004:list=wr20-004+reordered", expect=2)
    assert len(list_names(did)) == 2


def test_a_list_that_changed_is_downloaded_anew():
    old = learned(f"{ONE}:WR20-004", expect=1)
    new = learned(f"{ONE}:WR20-004:list=wr20-004+longer", expect=1, kept=old.kept)
    assert new.found
    assert new.units[ONE].list not in {"", old.units[ONE].list}


def test_what_only_this_boot_knew_is_kept_once_more():
    did = learned(f"{ONE}:WR20-004", expect=1)
    again = learned(f"{ONE}:WR20-004", expect=1, kept=did.kept, kill_after=2)
    assert again.kept == did.kept
    third = learned(f"{ONE}:WR20-004", expect=1, kept=did.kept)
    assert third.found == did.found


@pytest.mark.parametrize("seed", range(12))
def test_collisions_are_survived_where_the_count_is_known(seed):
    many = ",".join(f"{2000100000 + n}:WR33-008" for n in range(10))
    did = learned(many, {"collision": "1"}, expect=10, seed=seed)
    assert len(did.found) == 10
    assert sorted(known.address for known in did.units.values()) == list(range(1, 11))


@pytest.mark.parametrize("seed", range(12))
def test_a_collision_means_another_round_where_nobody_knows_how_many(seed):
    assert set(learned(PAIR, {"collision": "2"}, seed=seed).found) == {ONE, TWO}


def test_listed_inverters_that_always_collide_are_searched_for_by_their_serial_numbers():
    did = learned(f"{ONE}:WR20-004:pause=0.2,{TWO}:WR20-004:pause=0.25", serials=(ONE, TWO))
    assert set(did.found) == {ONE, TWO}
    assert "SEARCH_DEV for 2000234567 in smanet: at address 2" in did.remarks


def test_who_is_not_there_costs_no_more_than_some_rounds():
    did = learned(f"{ONE}:WR20-004", serials=(ONE, TWO))
    assert set(did.found) == {ONE}
    assert "SEARCH_DEV for 2000234567: no answer" in did.remarks
    assert did.seconds < 52.1 * 1.05 + 60


def test_a_stranger_does_not_stand_for_a_listed_one():
    did = learned(PAIR, {"dark": str(TWO)}, serials=(TWO,))
    assert set(did.found) == {ONE}
    assert TWO not in did.units


def test_a_bus_in_the_dark_ends_soon():
    did = learned(PAIR, {"night": ""})
    assert (did.found, did.failed, did.kept) == ({}, {}, {})
    assert did.seconds < 10.6


# -- addresses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expect", [0, 2])
def test_two_on_one_address_are_set_apart(expect):
    did = learned(PAIR, {"same-address": str(TWO)}, expect=expect)
    assert sorted(known.address for known in did.units.values()) == [1, 2]
    assert set(did.found) == {ONE, TWO}


def test_an_inverter_without_an_address_gets_one():
    did = learned(f"{ONE}:WR20-004:address=0,{TWO}:WR20-004:address=1", expect=2)
    assert {serial: known.address for serial, known in did.units.items()} == {ONE: 2, TWO: 1}


def test_a_new_inverter_gets_no_address_that_an_absent_one_had():
    before = learned(PAIR, expect=2)
    did = learned(f"{ONE}:WR20-004,{THREE}:WR20-004:address=1", expect=2, kept=before.kept)
    assert sorted((did.units[ONE].address, did.units[THREE].address)) == [1, 3]


def test_swapped_addresses_are_learned_as_they_are():
    before = learned(PAIR, expect=2)
    did = learned(PAIR, {"swapped": ""}, expect=2, kept=before.kept)
    assert {serial: known.address for serial, known in did.units.items()} == {ONE: 2, TWO: 1}
    assert did.asked(GET_CINFO) == 0


def test_an_address_is_changed_only_where_it_must_be():
    did = learned(f"{ONE}:WR20-004:address=77,{TWO}:WR20-004:address=5", expect=2)
    assert sorted(did.line.stations.configured) == [(ONE, 77), (TWO, 5)]  # type: ignore[attr-defined]


def test_address_changes_with_late_answers_are_waited_for():
    did = learned(PAIR, {"same-address": str(TWO), "search-late": ""}, expect=2)
    assert sorted(known.address for known in did.units.values()) == [1, 2]


# -- framing, line -----------------------------------------------------------------------------------------------------


def test_sunnynet_alone():
    did = learned(f"{ONE}:WR20-004:framing=sunnynet", expect=1)
    assert did.found == {ONE: "WR20-004 at address 1, SunnyNet"}
    assert did.asked(GET_CINFO) == 44  # its sum is weak: each packet twice
    assert did.remarks[-1] == 'the inverters of roof want this in its [[bus]] table: framing = "sunnynet"'


def test_either_framing_on_one_bus():
    did = learned(f"{ONE}:WR20-004:framing=sunnynet,{TWO}:WR20-004:framing=smanet", expect=2)
    assert {serial: known.framing for serial, known in did.units.items()} == {ONE: "sunnynet", TWO: "smanet"}


@pytest.mark.parametrize("seed", range(6))
def test_sma_net_wins_where_both_are_understood(seed):
    did = learned(PAIR, {"collision": "1"}, expect=2, seed=seed)
    assert {known.framing for known in did.units.values()} == {"smanet"}


def test_a_configured_framing_is_tried_first():
    did = learned(f"{ONE}:WR20-004", expect=1, framing="sunnynet")
    assert did.units[ONE].framing == "sunnynet"
    assert not any("[[bus]]" in remark for remark in did.remarks)


def test_the_configured_speed_comes_first_and_a_bridge_has_its_own():
    assert [one.baudrate for one in lines(driver.Options(9600), bridged=False)] == [
        9600, 1200, 19200, 4800, 2400, 38400,
    ]  # fmt: skip
    assert [one.baudrate for one in lines(driver.Options(9600), bridged=True)] == [9600]
    assert len(set(BAUDRATES)) == 6


@pytest.mark.parametrize(
    "faults",
    [
        {"echo": ""},
        {"inverted-echo": ""},
        {"chunks": "1"},
        {"chunks": "64"},
        {"preamble": ""},
        {"noise-before": "6", "noise-after": "6"},
        {"lost": "0.15"},
        {"flip": "0.0001"},
        {"wrong-sum": "", "first": "1"},
        {"foreign-master": "7"},
    ],
    ids=str,
)
def test_a_bad_line_is_survived(faults):
    did = learned(PAIR, faults, serials=(ONE, TWO), seed=4)
    assert set(did.found) == {ONE, TWO}
    assert did.kept[did.units[ONE].list] == b"\x0a" + wr20_list()


# -- broken downloads --------------------------------------------------------------------------------------------------


def test_a_killed_download_goes_on_where_it_was():
    killed = learned(f"{ONE}:WR20-004", expect=1, kill_after=12)  # units, then one for each packet
    assert killed.asked(GET_CINFO) == 11
    assert list_names(killed) == []
    did = learned(f"{ONE}:WR20-004", expect=1, kept=killed.kept)
    assert did.asked(GET_CINFO) == 11
    assert "the channel list of WR20-004 2000123456 goes on at packet 12 of 22" in did.remarks
    assert did.kept[did.units[ONE].list] == b"\x0a" + wr20_list()


def test_half_a_list_of_another_firmware_is_given_up():
    """The inverter does not know the packet that would follow: 8 packets where the old list had 22."""
    killed = learned(f"{ONE}:WR20-004", expect=1, kill_after=4)
    did = learned(f"{ONE}:WR20-004:list=wr33-008", expect=1, kept=killed.kept)
    assert set(did.found) == {ONE}


def test_two_halves_of_different_lists_make_none():
    killed = learned(f"{ONE}:WR20-004", expect=1, kill_after=16)
    did = learned(f"{ONE}:WR20-004:list=wr20-004+longer", expect=1, kept=killed.kept)
    assert did.kept[did.units[ONE].list] != b"\x0a" + wr20_list()
    whole = learned(f"{ONE}:WR20-004:list=wr20-004+longer", expect=1)
    assert did.units == whole.units


def test_an_inverter_that_sends_no_list_is_told_and_the_others_are_learned():
    did = learned(PAIR, {"no-cinfo": "", "only": str(ONE)}, serials=(ONE, TWO))
    assert (set(did.found), did.failed) == ({TWO, ONE}, {})  # the neighbour's list fits, proven by an answer
    alone = learned(f"{ONE}:WR20-004", {"no-cinfo": ""}, serials=(ONE,))
    assert (alone.found, alone.failed) == ({}, {f"roof-{ONE}": "silent"})
    assert alone.units[ONE].address == 1  # an imported list is all it wants now


def test_an_imported_list_is_proven_by_an_answer_and_saves_the_download():
    keep = Memory({}).keep_list("WR20-004", wr20_list())
    did = learned(f"{ONE}:WR20-004", {"no-cinfo": ""}, expect=1, kept={keep.name: keep.data})
    assert did.units[ONE].list == keep.name
    assert did.asked(GET_CINFO) == 0
    assert did.seconds < 14


def test_an_imported_list_that_does_not_fit_is_not_used():
    keep = Memory({}).keep_list("WR20-004", wr20_list())
    did = learned(f"{ONE}:WR20-004:list=wr20-004+longer", expect=1, kept={keep.name: keep.data})
    assert did.units[ONE].list not in {"", keep.name}


def test_the_end_of_the_budget_is_told_and_loses_nothing():
    did = learned(f"{ONE}:WR20-004", expect=1, budget=40.0)
    assert did.remarks[-1] == "the time for learning was used up; what was learned is kept"
    assert did.seconds <= 40.1
    assert learned(f"{ONE}:WR20-004", expect=1, kept=did.kept).asked(GET_CINFO) < 14


def test_progress_counts_packets_and_the_seconds_that_are_left():
    did = learned(f"{ONE}:WR20-004", expect=1)
    bars = [one for one in did.reports if isinstance(one, Progress) and one.total]
    assert [(one.done, one.total) for one in bars] == [(n, 22) for n in range(1, 23)]
    assert bars[0].text == "channel list of WR20-004 2000123456: 255 bytes, 52 s left"
    assert bars[-1].text == "channel list of WR20-004 2000123456: 5564 bytes, 0 s left"


# -- whatever comes ----------------------------------------------------------------------------------------------------


def spoiled() -> Iterator[dict[str, str]]:
    for flip in ("0.0003", "0.003"):
        for drop in ("0", "0.01"):
            yield {"flip": flip, "drop": drop}


@pytest.mark.parametrize("faults", list(spoiled()), ids=str)
@settings(max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_no_damage_ever_becomes_a_list_or_a_wrong_address(faults, seed):
    did = learned(f"{ONE}:WR33-008,{TWO}:A:list=minimal", faults, expect=2, seed=seed, budget=900.0)
    true = learned(f"{ONE}:WR33-008,{TWO}:A:list=minimal", expect=2)
    assert did.seconds < 900.5
    assert set(list_names(did)) <= set(list_names(true))
    assert all(known.address == true.units[serial].address for serial, known in did.units.items())
    assert did.asked(CFG_NETADR) < 200


@settings(max_examples=100)
@given(
    st.dictionaries(st.sampled_from(["units", "search", f"partial-{ONE}", "list-wr20_004-5d19"]), st.binary())
)
def test_a_damaged_memory_is_none(kept):
    did = learned(f"{ONE}:WR20-004", expect=1, kept=kept)
    assert did.found == {ONE: "WR20-004 at address 1"}
