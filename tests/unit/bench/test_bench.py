"""The benches still run: their functions with counts that take no time, their arithmetic on figures of ours."""

import random

import pytest

from bench import _table, conversations, cost, misses, wall
from bench._plant import Exchange
from pv_exec.wire.crc import crc16_x25
from tests.captures.kaco.frames import CRCED, SUMMED
from tests.unit.kaco.test_damage_sum import rates

ASKED = Exchange(0.0, 5, 0.3, 66, 9600)


def test_a_table_stands_in_columns(capsys):
    _table.show("Title", "How.", ("name", "n"), [("a", "1"), ("bb", "22")])
    assert capsys.readouterr().out.splitlines() == [
        "", "Title", "--------", "name   n", "a      1", "bb    22", "--------", "How.",
    ]  # fmt: skip


def test_an_exchange_takes_its_bytes_and_the_delay_between_them():
    assert ASKED.takes == pytest.approx(0.3 + 71 / 960)


def test_the_floor_is_a_gap_for_every_request_but_the_last_or_the_exchange_where_it_is_longer():
    assert wall.floor([ASKED]) == pytest.approx(ASKED.takes)
    assert wall.floor([ASKED] * 3) == pytest.approx(2.0 + ASKED.takes)
    long = ASKED._replace(delay=1.4)
    assert wall.floor([long, ASKED]) == pytest.approx(long.takes + ASKED.takes)


def test_a_row_of_wall_times_meets_both_goals_or_fails():
    quick = wall.Timed(3.4, 3.3, 0.08, 0.005, 4)
    slow = wall.Timed(3.5, 3.3, 0.18, 0.005, 4)
    assert wall.row(3, [quick])[-1] == "pass"
    assert wall.row(3, [slow])[-1] == "FAIL"


def test_a_run_spends_in_three_processes():
    # What wait4 gives, and what the goals make of it; the processes themselves are the process tests' and make bench's.
    bare = [cost.Spent(0.007, 8.0)]
    run = [cost.Spent(0.020, 14.0), cost.Spent(0.004, 13.0), cost.Spent(0.008, 13.5)]
    table = cost.rows([run], bare, bare)
    assert [row[0] for row in table[2:]] == ["parent", "keeper", "worker", "whole run"]
    assert table[-1][3] == "4.57"
    assert [row[-1] for row in table[2:]] == ["pass"] * 4
    assert cost.rows([[*run[:2], cost.Spent(0.008, 16.5)]], bare, bare)[-2][-1] == "FAIL"


@pytest.mark.parametrize("mangled", [False, True])
def test_conversations_are_counted_in_virtual_time(mangled):
    pace = conversations.pace(4, mangled=mangled)
    assert pace.runs == 4
    assert pace.requests >= 4 * 4
    assert pace.simulated > 4 * 3.0  # three gaps of a second each
    assert mangled or pace.ok == 4 * 3
    assert len(conversations.row("healthy", [pace])) == 9


@pytest.mark.parametrize(("name", "damage", "size"), misses.SUM)
def test_misses_of_the_sum_are_counted(name, damage, size):
    weak, strong = rates(damage, size, 20)
    assert 0 <= strong <= 20
    assert len(misses.sum_row(name, 20, weak, strong)) == 8


@pytest.mark.parametrize(("name", "damage", "size"), misses.CRC)
def test_misses_of_the_crc_are_counted(name, damage, size):
    passed = misses.crc_rate(damage, size, 20)
    assert passed.believed <= passed.crc <= passed.tries <= 20
    assert len(misses.crc_row(name, passed)) == 8


@pytest.mark.parametrize(("name", "damage", "size"), misses.CRC)
def test_damage_leaves_the_printed_crc_alone(name, damage, size):
    for one in CRCED:
        bad = damage(random.Random(1), one.frame, size)
        assert len(bad) == len(one.frame)
        assert bad[:5] == one.frame[:5]
        assert bad[-5:] == one.frame[-5:]


@pytest.mark.parametrize("damage", [misses.transposed, misses.swapped])
def test_a_sum_never_sees_digits_that_changed_places(damage):
    for one in SUMMED:
        if one.shape == "00":
            bad = damage(random.Random(1), one.frame, 1)
            assert bad != one.frame
            assert sorted(bad[:57]) == sorted(one.frame[:57])
            assert bad[57:] == one.frame[57:]


def test_the_other_crc_is_the_same_one():
    assert misses.independent_crc(b"123456789") == 0x906E
    for one in CRCED:
        assert (
            misses.independent_crc(one.frame[1:-5]) == crc16_x25(one.frame[1:-5]) == int(one.frame[-5:-1], 16)
        )
