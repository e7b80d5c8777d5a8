"""The chain: inverters on a bus → pv-read → a real Telegraf → a real InfluxDB, and every value queried back."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.e2e.process import wait_for
from tests.e2e.telegraf import AGENT, exec_input, influxdb_output
from tests.player import Player

# Frames of the sheet (CAP, AN, KRTU), and beside them what they say, typed from it.
FRAMES = {
    b"#020\r": b"\n*020   4 406.8  1.65   671 228.7  2.80   635  34  33801 \xa5 6400xi\r",
    b"#030\r": (
        b"\n*03n 20 086L32 4  521.5  0.72   376  518.8  0.72   376  226.5  1.35  227.5  1.30  229.3  1.26   753   759 "
        b"1.000  43.5  45704 FA6B\r"
    ),
}
VALUES = {
    "2": {
        "dc1_voltage_v": 406.8,
        "dc1_current_a": 1.65,
        "dc_power_w": 671.0,
        "ac_l1_voltage_v": 228.7,
        "ac_l1_current_a": 2.80,
        "ac_power_w": 635.0,
        "temperature_c": 34.0,
        "energy_today_wh": 33801.0,
        "status_code": 4,
        "status": "feeding in, MPP search",
        "model": "6400xi",
    },
    "3": {
        "dc1_voltage_v": 521.5,
        "dc1_current_a": 0.72,
        "dc1_power_w": 376.0,
        "dc2_voltage_v": 518.8,
        "dc2_current_a": 0.72,
        "dc2_power_w": 376.0,
        "ac_l1_voltage_v": 226.5,
        "ac_l1_current_a": 1.35,
        "ac_l2_voltage_v": 227.5,
        "ac_l2_current_a": 1.30,
        "ac_l3_voltage_v": 229.3,
        "ac_l3_current_a": 1.26,
        "dc_power_w": 753.0,
        "ac_power_w": 759.0,
        "ac_power_factor": 1.0,
        "temperature_c": 43.5,
        "energy_today_wh": 45704.0,
        "status_code": 4,
        "status": "feeding in, MPP search",
        "model": "086L32",
    },
}


@pytest.fixture
def recorded() -> Iterator[Player]:
    player = Player(FRAMES)
    yield player
    player.close()


def chain(plant, influxdb, telegraf, *arguments: str, timeout: str = "8s", prefix: tuple[str, ...] = ()):
    """A running Telegraf that reads the plant once a second (or as long as a run takes) into the server."""
    command = [*prefix, *plant.command(*arguments)]
    agent = telegraf(
        AGENT + influxdb_output(influxdb),
        drop_ins={
            "pv.conf": exec_input(
                command, timeout=timeout, options='  precision = "1ns"\n  log_stderr = true\n'
            )
        },
    )
    return agent.run()


def stored(influxdb, measurement: str, inverter: str, least: int = 1):
    points = [one for one in influxdb.points(measurement) if one.tags.get("inverter") == inverter]
    return points if len(points) >= least else []


def test_recorded_frames_arrive_in_influxdb_value_by_value(plant, influxdb, telegraf, recorded):
    plant.configure("inverters = [2, 3]", bus='totals = "never"', port=recorded.port)
    process = chain(plant, influxdb, telegraf)
    for inverter, expected in VALUES.items():
        point = process.wait_for(
            lambda name=inverter: stored(influxdb, "pv_inverter", name), "the values arrive"
        )[0]
        fields = dict(point.fields)
        assert fields.pop("seq") >= 1
        assert fields == expected
        assert [type(value) for value in fields.values()] == [type(expected[name]) for name in fields]
        assert point.tags == {
            "bus": "roof", "driver": "kaco", "host": "box", "inverter": inverter, "site": "test",
        }  # fmt: skip
        assert abs(point.time / 1e9 - time.time()) < 60
        assert point.time % 1_000_000_000 == 0
        health = stored(influxdb, "pv_read", inverter)[0]
        assert health.fields["ok"] is True
        assert (health.fields["state"], health.fields["state_code"]) == ("ok", 0)
    assert process.end() == 0
    assert "E!" not in process.log()
    assert set(recorded.heard) <= {b"#020\r", b"#030\r"}


def test_what_pv_read_prints_is_what_the_server_holds(plant, influxdb, telegraf):
    """Three families, one dead: the same frozen plant read by hand and through Telegraf, every field of every line."""
    plant.serve("1:8000xi,2:3x10k,3:390TL,4:5000xi", "--fault", "dark=4")
    plant.configure("inverters = [1, 2, 3, 4]", bus='gap = "50ms"\ntotals = "always"')
    plant.read()  # the first reply to command 3 is only believed once a second one agrees
    by_hand = plant.read()
    process = chain(plant, influxdb, telegraf)
    process.wait_for(lambda: stored(influxdb, "pv_read", "4", 2), "two runs arrived")
    assert process.end() == 0
    for inverter, printed in by_hand.values.items():
        for point in stored(influxdb, "pv_inverter", inverter):
            assert point.fields | {"seq": 0} == printed | {"seq": 0}
    assert set(by_hand.values) == {"1", "2", "3"}
    runs = {point.fields["seq"] for point in stored(influxdb, "pv_read", "1")}
    for inverter, state in by_hand.states.items():
        points = stored(influxdb, "pv_read", inverter)
        assert {point.fields["state"] for point in points} == {state}
        assert {point.fields["seq"] for point in points} == runs
    assert by_hand.states["4"] == "asleep"


def test_all_dead_still_yields_a_health_line_for_each(plant, influxdb, telegraf):
    plant.serve("1:8000xi,2:390TL", "--fault", "night")
    plant.configure("inverters = [1, 2]", bus='gap = "50ms"\nreply_timeout = "200ms"')
    process = chain(plant, influxdb, telegraf)
    for inverter in ("1", "2"):
        point = process.wait_for(lambda name=inverter: stored(influxdb, "pv_read", name), "health arrives")[0]
        assert point.fields["ok"] is False
        assert point.fields["state"] == "asleep"
    assert influxdb.points("pv_inverter") == []
    assert process.end() == 0


def test_a_run_past_telegrafs_timeout_gives_what_is_complete(plant, influxdb, telegraf):
    """Telegraf's SIGTERM comes in the middle of a slow bus; pv-read prints and exits 0, so the run is a success."""
    plant.serve("1:8000xi,2:5000xi,3:390TL", speed="real")
    plant.configure(bus='totals = "never"\ndeadline = "20s"\ngap = "3s"')
    process = chain(plant, influxdb, telegraf, timeout="2s")
    process.wait_for(lambda: stored(influxdb, "pv_inverter", "1"), "the first inverter arrives")
    process.wait_for(lambda: stored(influxdb, "pv_read", "3"), "and the health of the last")
    assert {point.fields["state"] for point in stored(influxdb, "pv_read", "3")} == {"timeout"}
    assert "command timed out" not in process.log()
    assert process.end() == 0


def test_a_bus_locked_by_a_second_reader(plant, influxdb, telegraf):
    plant.serve("1:8000xi", speed="fast")
    plant.configure("inverters = [1]")
    fifo = plant.directory / "fifo"
    os.mkfifo(fifo)
    hung = subprocess.Popen(
        plant.command("--trace", str(fifo), "--deadline", "30s", "--format", "none"), start_new_session=True
    )
    try:
        wait_for(lambda: list((plant.directory / "run").glob("tty-*.lock")), "the bus is locked")
        process = chain(plant, influxdb, telegraf)
        process.wait_for(lambda: stored(influxdb, "pv_read", "1"), "health arrives")
        point = stored(influxdb, "pv_read", "1")[0]
        assert point.fields["state"] == "locked"
        assert "by pid" in point.fields["error"]
        process.wait_log("E! [inputs.exec::pv] roof/1: locked")
    finally:
        os.killpg(hung.pid, signal.SIGKILL)
        hung.wait()
    process.wait_for(lambda: stored(influxdb, "pv_inverter", "1"), "the next run reads again")
    assert process.end() == 0


def test_a_clock_three_hours_back_is_marked_and_overwrites_nothing(plant, influxdb, telegraf, part):
    """Untrusted lines go to series of their own, under the boot; the trusted ones of now stay as they are."""
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]", clock='trust = "never"')
    fake = (
        "/usr/bin/env", f"LD_PRELOAD={part('libfaketime')}", "FAKETIME=-3h", "FAKETIME_DONT_FAKE_MONOTONIC=1",
    )  # fmt: skip
    process = chain(plant, influxdb, telegraf, prefix=fake)
    process.wait_for(lambda: stored(influxdb, "pv_inverter_unsynced", "1"), "marked values arrive")
    assert process.end() == 0
    assert influxdb.points("pv_inverter") == []
    point = stored(influxdb, "pv_read_unsynced", "1")[0]
    assert point.fields["clock_trusted"] is False
    with open("/proc/sys/kernel/random/boot_id") as file:
        assert point.tags["boot"] == file.read()[:8]
    assert 3 * 3600 - 60 < time.time() - point.time / 1e9 < 3 * 3600 + 60


def test_sigterm_to_telegraf_in_the_middle_of_a_run_hangs_nobody(plant, influxdb, telegraf):
    """Telegraf waits for a gather under way when it stops; ours ends by its deadline, and its last metrics are written."""
    plant.serve("1:8000xi,2:5000xi,3:390TL", speed="real")
    plant.configure(bus='totals = "never"')
    process = chain(plant, influxdb, telegraf)
    wait_for(lambda: list((plant.directory / "run").glob("tty-*.lock")), "a run is under way")
    assert process.end() == 0
    assert stored(influxdb, "pv_read", "3")
