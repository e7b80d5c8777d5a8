"""Two Sunny Boys on a bus of their own, one asleep: learned once, then through pv-read and Telegraf into InfluxDB."""

import subprocess
from pathlib import Path

import pytest

from tests.e2e.process import Process
from tests.e2e.telegraf import AGENT, exec_input, influxdb_output
from tests.plant import NOON, script

AWAKE, ASLEEP = "2000123456", "2000234567"


@pytest.fixture
def learned(plant):
    """The plant's own bus is a Kaco bus; this one is read beside it, as a box with two adapters does."""
    port = str(plant.directory / "tty2")
    spec = f"{AWAKE}:WR20-004,{ASLEEP}:WR20-004"
    command = [script("pv-sim"), "serve", "sma_rs485", "--pty", port, "--inverters", spec, "--at", NOON]
    serve = [*command, "--speed", "fast"]
    simulator = Process(serve, str(plant.directory / "sma.log"))
    simulator.wait_log(port)
    plant.serve("1:8000xi")
    bus = f'[[bus]]\nname = "barn"\ndriver = "sma_rs485"\nport = "{port}"\nsync_wait = "100ms"\n'
    plant.configure("inverters = [1]", more=f"{bus}inverters = [{AWAKE}, {ASLEEP}]\n")
    done = subprocess.run(
        [script("pv-setup"), "learn", "barn", "--config", plant.config],
        capture_output=True, text=True, check=False, timeout=50,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    simulator.end()
    dark = Process([*serve, "--fault", f"dark={ASLEEP}"], str(plant.directory / "sma2.log"))
    dark.wait_log(port)
    yield plant
    dark.kill()


def test_both_buses_arrive_and_the_sleeping_one_is_no_error(learned, influxdb, telegraf):
    by_hand = learned.read()
    assert by_hand.states == {"1": "ok", AWAKE: "ok", ASLEEP: "asleep"}
    printed = by_hand.values[AWAKE]
    assert printed["serial_number"] == AWAKE
    assert printed["status"] == "Mpp"
    assert 700 < printed["ac_power_w"] <= 2000
    assert printed["energy_total_wh"] > 0
    assert "energy_today_wh" not in printed  # a Sunny Boy does not tell it
    command = learned.command()
    agent = telegraf(
        AGENT + influxdb_output(influxdb),
        drop_ins={"pv.conf": exec_input(command, timeout="30s", options='  precision = "1ns"\n')},
    )
    process = agent.run()
    where = f"inverter = '{AWAKE}'"

    def two():
        found = influxdb.points("pv_inverter", where)
        return found if len(found) >= 2 else []

    points = process.wait_for(two, "two runs arrived", within=40)
    assert process.end(within=40) == 0
    for point in points:
        assert point.tags["driver"] == "sma_rs485"
        assert point.fields | {"seq": 0} == printed | {"seq": 0}
    states = {point.fields["state"] for point in influxdb.points("pv_read", f"inverter = '{ASLEEP}'")}
    assert states == {"asleep"}
    assert {point.fields["state"] for point in influxdb.points("pv_read", "inverter = '1'")} == {"ok"}


def test_an_unlearned_bus_says_which_command_to_give(plant):
    text = Path(plant.config).read_text()
    bus = f'[[bus]]\nname = "barn"\ndriver = "sma_rs485"\nport = "{plant.port}2"\ninverters = [{AWAKE}]\n'
    Path(plant.config).write_text(text + bus)
    plant.serve("1:8000xi")
    simulator = Process(
        [script("pv-sim"), "serve", "sma_rs485", "--pty", f"{plant.port}2", "--speed", "fast"],
        str(plant.directory / "sma.log"),
    )
    simulator.wait_log("tty2")
    try:
        done = plant.read("--bus", "barn")
        assert done.states == {AWAKE: "unlearned"}
        assert done.health[AWAKE]["error"] == "it was never learned; run once: pv-setup learn barn"
    finally:
        simulator.end()
