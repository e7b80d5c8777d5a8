"""A Kaco bus's memory: comes back as it was, and damage of any shape is forgetting."""

import json

import pytest
from hypothesis import given, strategies as st

from pv_exec.drivers.kaco import totals
from pv_exec.drivers.kaco.memory import Memory
from pv_exec.sim import plant
from pv_exec.sim.rehearsal import Rehearsal, bus_plan

NOON = 1782036000.0


def keep(memory, kept):
    return {**kept, **{step.name: step.data for step in memory.keeps(kept)}}


def full():
    memory = Memory({})
    memory.turn = "south"
    memory.types = {"south": "9600I"}
    reply = totals.Reply(581, 11.0666, 1234.5, "b1")
    memory.totals["south"] = totals.Memory(reply, reply, (581, 4184, "b1"), "0.1 kWh", 1, "kWh", "9600I")
    return memory


def test_it_comes_back_as_it_was():
    kept = keep(full(), {})
    back = Memory(kept)
    assert (back.turn, back.types, back.totals) == (full().turn, full().types, full().totals)


def test_nothing_new_is_not_written():
    kept = keep(full(), {})
    assert list(Memory(kept).keeps(kept)) == []
    assert [step.name for step in Memory({}).keeps({})] == ["run"]


def test_only_the_units_are_durable():
    assert {step.name: step.durable for step in full().keeps({})} == {"run": False, "units": True}


def test_a_type_is_likely_when_heard_twice_running_or_first_heard_and_in_the_list():
    memory = Memory({})
    assert memory.type_is_likely("a", "6400xi")
    assert memory.steady_type("a") == ""
    assert memory.type_is_likely("a", "6400xi")
    assert memory.steady_type("a") == "6400xi"
    other = Memory(keep(memory, {}))
    assert not other.type_is_likely("a", "8400xi")  # a bit away from it, and in no list
    assert other.steady_type("a") == ""
    third = Memory(keep(other, {}))
    assert not third.type_is_likely("a", "6400xi")
    assert Memory(keep(third, {})).type_is_likely("a", "6400xi")


def test_a_type_that_is_in_the_list_but_not_the_one_known_is_not_published_at_once():
    memory = Memory({"run": b'{"types": {"a": "9600I"}}'})
    assert not memory.type_is_likely("a", "8600I")


def test_a_type_of_nobodys_list_is_published_the_second_time():
    memory = Memory({})
    assert not memory.type_is_likely("a", "SG3502")
    assert Memory(keep(memory, {})).type_is_likely("a", "SG3502")


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["kWh", "1", "boot-1"]),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(["turn", "types", "totals", "1", "x"]), inner)
    ),
    max_leaves=20,
)


def reads_on(kept):
    """A damaged memory never raises, and two runs later everything is as ever."""
    memory = Memory(kept)
    list(memory.keeps(kept))
    rehearsal = Rehearsal(
        bus_plan("kaco", [1, 2], totals="always"),
        plant.build("kaco", "1:8000xi,2:086L32", at=NOON),
        kept=kept,
    )
    for _ in range(2):
        rehearsal.run()
        rehearsal.sleep(60)
    run = rehearsal.run()
    assert set(run.states().values()) == {"ok"}
    assert all(
        "model" in outcome.values and "energy_total_wh" in outcome.values for outcome in run.outcomes.values()
    ), run


@given(plain, plain)
def test_any_json(run, units):
    reads_on({"run": json.dumps(run).encode(), "units": json.dumps(units).encode()})


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_any_bytes(run, units):
    reads_on({"run": run, "units": units})


@pytest.mark.parametrize(
    "data", [b"[" * 100_000, b'{"totals":' * 50_000, b"\xff", b"NaN", b"Infinity", b'"', b""]
)
def test_hostile_bytes(data):
    reads_on({"run": data, "units": data})


@given(st.data())
def test_one_thing_in_it_replaced_by_anything(data):
    """Right in everything but one place: the deepest checks are reached."""
    run = json.loads(keep(full(), {})["run"])
    entry = run["totals"]["south"]
    place = data.draw(st.sampled_from(["turn", "types", "totals", "entry", "last", "previous", "base"]))
    odd = data.draw(plain)
    if place in {"turn", "types", "totals"}:
        run[place] = odd
    elif place == "entry":
        entry[data.draw(st.integers(0, 4))] = odd
    else:
        part = entry[{"last": 0, "previous": 1, "base": 2}[place]]
        part[data.draw(st.integers(0, len(part) - 1))] = odd
    run["totals"] = {"1": run["totals"].get("south")} if isinstance(run["totals"], dict) else run["totals"]
    reads_on({"run": json.dumps(run).encode(), "units": json.dumps({"1": data.draw(plain)}).encode()})


def test_one_damaged_entry_does_not_cost_the_others():
    run = json.loads(keep(full(), {})["run"])
    run["totals"]["north"] = run["totals"]["south"][:3]
    run["totals"]["west"] = [[-5, 1, 1, "b"], None, None, None, 0]
    assert set(Memory({"run": json.dumps(run).encode()}).totals) == {"south"}
