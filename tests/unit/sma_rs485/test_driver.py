"""The Sunny Boys' driver against simulated ones in virtual time: runs, mornings, and what it never sends or believes."""

from typing import Any

import pytest

from pv_exec.model import Progress
from pv_exec.sim import plant
from pv_exec.sim.rehearsal import Rehearsal, bus_plan

NOON = 1782036000.0  # 2026-06-21 10:00 UTC
SERIALS = [2000123456, 2000234567, 2000345678]
FIRST, SECOND, THIRD = map(str, SERIALS)
SYN_ONLINE, GET_DATA, SEARCH_DEV, CFG_NETADR = 0x0A, 0x0B, 0x02, 0x03


def spec(count: int, options: str = "") -> str:
    return ",".join(f"{serial}:WR20-004{options}" for serial in SERIALS[:count])


def bus(count=3, spoilt=None, options="", learned=True, **keys) -> Rehearsal:
    """A bus of WR20 that was learned while it was well."""
    plan = bus_plan("sma_rs485", SERIALS[:count], **keys)
    healthy = Rehearsal(plan, plant.build("sma_rs485", spec(count, options), at=NOON), wall=NOON)
    if learned:
        healthy.learn()
    line = plant.build("sma_rs485", spec(count, options), at=NOON, spoilt=spoilt)
    return Rehearsal(plan, line, wall=NOON, kept=healthy.kept)


def commands(run) -> list[int]:
    """Command bytes in the order sent; SMA-Net, none of them is stuffed but 11 to 13, which are not sent."""
    return [data[11] for _, data in run.sent]


def configured(rehearsal) -> list[tuple[int, int]]:
    """Every CFG_NETADR that was heard: serial number and address."""
    simulator: Any = rehearsal.line.stations
    found: list[tuple[int, int]] = simulator.configured
    return found


def minutes(rehearsal, count):
    found = []
    for _ in range(count):
        found.append(run := rehearsal.run())
        rehearsal.sleep(60 - run.used)
    return found


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_run_takes_the_wires_own_time(count):
    """The goal of the issue: 1.16 + 0.95 N s at 1200 baud, × 1.05 at most from three inverters on."""
    run = bus(count).run()
    assert set(run.states().values()) == {"ok"}
    assert commands(run) == [SYN_ONLINE] + [GET_DATA] * count
    assert run.used <= (1.16 + 0.95 * count) * (1.05 if count == 3 else 1.08)


def test_one_moment_is_frozen_for_all_and_echoed():
    run = bus().run()
    assert run.sent[0][1].startswith(b"\x7e\xff\x03\x40\x41\x00\x00\x00\x00\x80\x00\x0a")
    assert {outcome.values["serial_number"] for outcome in run.outcomes.values()} == {FIRST, SECOND, THIRD}


def test_an_inverter_that_was_never_learned_says_which_command_to_give():
    run = bus(learned=False).run()
    assert run.states() == {FIRST: "unlearned", SECOND: "unlearned", THIRD: "unlearned"}
    assert run.outcomes[FIRST].error == "it was never learned; run once: pv-setup learn roof"
    assert run.sent == ()


def test_no_value_comes_from_a_stale_list():
    for fault in ({"other-list": "longer"}, {"other-list": "reordered"}):
        for run in minutes(bus(spoilt=fault), 3):
            assert set(run.states().values()) == {"stale_list"}
            assert all(not outcome.values for outcome in run.outcomes.values())
            assert CFG_NETADR not in commands(run)


def test_another_serial_number_is_stale_and_looked_for_at_most_every_ten_minutes():
    runs = minutes(bus(spoilt={"exchanged": ""}), 12)
    assert {run.states()[FIRST] for run in runs} == {"stale_list"}
    assert {run.states()[SECOND] for run in runs} == {"ok"}
    searches = [number for number, run in enumerate(runs) if SEARCH_DEV in commands(run)]
    assert searches == [0, 11]  # the first search began some seconds into its run
    assert runs[0].outcomes[FIRST].error.startswith("address 1 answered for serial number ")


def test_an_inverter_that_moved_is_found_read_and_remembered_in_the_same_run():
    first, second = minutes(bus(spoilt={"moved": ""}), 2)
    assert first.states() == second.states() == {FIRST: "ok", SECOND: "ok", THIRD: "ok"}
    assert commands(first).count(SEARCH_DEV) == 1
    assert SEARCH_DEV not in commands(second)
    assert CFG_NETADR not in commands(first)


def test_addresses_swapped_over_night_cost_nothing_but_a_look_at_the_serial_numbers():
    first, second = minutes(bus(spoilt={"swapped": ""}), 2)
    assert first.states() == {FIRST: "ok", SECOND: "ok", THIRD: "ok"}
    assert {name: one.values["serial_number"] for name, one in first.outcomes.items()} == {
        FIRST: FIRST, SECOND: SECOND, THIRD: THIRD,
    }  # fmt: skip
    assert SEARCH_DEV not in commands(first)
    assert second.reports == tuple(one._replace(at=one.at) for one in second.reports)
    assert len(second.reports) == 3  # everybody at once at the place remembered now


def test_two_on_one_address_are_set_apart_and_both_are_read_from_then_on():
    rehearsal = bus(spoilt={"same-address": ""})
    first, second = minutes(rehearsal, 2)
    assert first.states()[THIRD] == "ok"
    assert second.states() == {FIRST: "ok", SECOND: "ok", THIRD: "ok"}
    assert configured(rehearsal) == [(SERIALS[2], 3)] or len(configured(rehearsal)) == 1
    assert configured(rehearsal)[0][0] == SERIALS[2]


def test_nobody_is_given_an_address_where_that_is_forbidden():
    rehearsal = bus(spoilt={"same-address": ""}, readdress="never")
    runs = minutes(rehearsal, 3)
    assert configured(rehearsal) == []
    assert runs[0].states()[THIRD] == "address_conflict"
    assert 'set readdress = "auto"' in runs[0].outcomes[THIRD].error


@pytest.mark.parametrize("fault", ["flip", "drop", "wrong-sum", "truncate", "lost", "noise-before"])
def test_damage_gives_nobody_an_address(fault):
    rehearsal = bus(spoilt={fault: ""})
    minutes(rehearsal, 40)
    assert configured(rehearsal) == []


def test_all_silent_looks_for_nobody():
    """At night nobody answers; a search needs a neighbour that does."""
    run = bus(spoilt={"night": ""}).run()
    assert set(run.states().values()) == {"silent"}
    assert SEARCH_DEV not in commands(run)
    assert {outcome.attempts for outcome in run.outcomes.values()} == {2}


def test_sunnynet_is_asked_twice_as_its_sum_is_weak():
    plan = bus_plan("sma_rs485", SERIALS[:1], framing="sunnynet")
    line = plant.build("sma_rs485", spec(1, ":framing=sunnynet"), at=NOON)
    rehearsal = Rehearsal(plan, line, wall=NOON)
    rehearsal.learn()
    run = rehearsal.run()
    assert run.states() == {FIRST: "ok"}
    questions = [data for _, data in run.sent if data[10] == GET_DATA]
    assert len(questions) == 2
    assert len(set(questions)) == 1
    assert 0 < plan.takes < plan.deadline


def test_zeros_of_the_morning_are_left_out():
    outcome = bus(1, spoilt={"zeros": ""}).run().outcomes[FIRST]
    assert outcome.state == "ok"
    assert not {"energy_total_wh", "feed_in_time_h", "ac_frequency_hz"} & set(outcome.values)
    assert "energy_total_wh: 0, so not measured yet" in outcome.dropped


def test_channels_without_a_name_go_out_under_their_own_where_that_is_set():
    assert not any(name.startswith("channel_") for name in bus(1).run().outcomes[FIRST].values)
    values = bus(1, channels="all").run().outcomes[FIRST].values
    assert float(values["channel_Uac_Srr"]) > 200
    assert {"channel_Fehler_Cnt", "channel_dZac", "channel_Iac_Soll"} <= set(values)


def test_what_was_learned_and_moved_lasts_over_a_reboot():
    rehearsal = bus(spoilt={"moved": ""})
    rehearsal.run()
    rehearsal.durable = frozenset(name for name in rehearsal.kept if name.startswith(("units", "list-")))
    rehearsal.reboot()
    run = rehearsal.run()
    assert set(run.states().values()) == {"ok"}
    assert SEARCH_DEV not in commands(run)


def test_learning_tells_how_far_it_is():
    rehearsal = bus(1, learned=False)
    steps = [one for one in rehearsal.learn().reports if isinstance(one, Progress)]
    counts = [(one.done, one.total) for one in steps if "channel list" in one.text and one.total]
    assert sorted(set(counts)) == [(done, 22) for done in range(counts[0][0], 23)]
    assert counts == sorted(counts)
