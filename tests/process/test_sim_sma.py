"""pv-sim with Sunny Boys on a real pty and a real socket, read by plain clients."""

import socket
import subprocess
import sys
import time
from itertools import pairwise

import pytest
import serial

from pv_exec import drivers
from pv_exec.box.paths import read_kept
from pv_exec.sim import demo, plant
from pv_exec.sim.rehearsal import Rehearsal, bus_plan
from tests.captures.sma_rs485.frames import session, wr20_list
from tests.process.simulated import COMMAND, NOON, ask, environment, read, serving

SEARCH = bytes.fromhex("7e ff 03 40 41 00 00 00 00 80 00 02 40 76 37 77 29 c8 7e")
FOUND = bytes.fromhex("7e ff 03 40 41 01 00 00 00 40 00 02 40 76 37 77 57 52 32 30 2d 30 30 34 2a 8e 7e")
SYN = bytes.fromhex("7e ff 03 40 41 00 00 00 00 80 00 0a 80 99 66 66 91 21 7e")
ASK = bytes.fromhex("7e ff 03 40 41 00 00 01 00 00 00 0b 0f 09 00 21 9d 7e")
SET_DATA = bytes.fromhex("68 09 09 68 00 00 01 00 00 00 0c 01 04 02 01 00 00 00 20 43 78 00 16")
ONE = "2000123456:WR20-004:delay=0.03"


@pytest.fixture
def port(tmp_path):
    return str(tmp_path / "tty")


def test_bytes_take_their_time_at_1200_baud(port):
    with serving("--pty", port, "--at", NOON, "--inverters", ONE, driver="sma_rs485") as sim:
        with serial.Serial(port, 1200) as opened:
            started = time.monotonic()
            assert ask(opened, SEARCH, len(FOUND)) == FOUND
            took = time.monotonic() - started
        assert took >= (19 + 27) * 10 / 1200 + 0.03 - 0.001
    assert sim.status == 0
    assert sim.notes == ""


def test_yasdis_requests_one_after_the_other_bring_what_was_recorded(port):
    """As fast as a pty goes: detection, address, the whole list; the answers with values in their length."""
    arguments = ("--pty", port, "--at", NOON, "--inverters", ONE, "--speed", "fast")
    said = session()
    with serving(*arguments, driver="sma_rs485") as sim, serial.Serial(port, 1200) as opened:
        for sent, heard in pairwise(said):
            if not sent.by_master:
                continue
            if heard.by_master:  # a SYN_ONLINE, which nobody answers
                opened.write(sent.data)
            elif heard.command == "GET_DATA":
                assert read_frame(opened, sent.data)[:24] == heard.data[:24]
            else:
                assert read_frame(opened, sent.data) == heard.data
    assert sim.notes == ""


def read_frame(opened, request):
    opened.write(request)
    heard = opened.read(1)
    while heard.count(b"\x7e") < 2:
        heard += opened.read(1)
    return heard


def test_the_line_has_a_speed_and_another_one_is_not_understood(port):
    arguments = ("--pty", port, "--at", NOON, "--inverters", ONE, "--baudrate", "19200")
    with serving(*arguments, driver="sma_rs485") as sim:
        for baudrate, length in ((1200, 0), (9600, 0), (19200, len(FOUND)), (38400, 0), (19200, len(FOUND))):
            with serial.Serial(port, baudrate) as opened:
                assert len(ask(opened, SEARCH, len(FOUND), 2.0 if length else 0.2)) == length
    assert sim.notes == ""


def test_what_writes_is_told_at_the_end(port):
    arguments = ("--pty", port, "--at", NOON, "--speed", "fast")
    with serving(*arguments, driver="sma_rs485") as sim, serial.Serial(port, 1200) as opened:
        assert ask(opened, SET_DATA, 1, 0.1) == b""
        assert ask(opened, SEARCH, len(FOUND)) == FOUND
    assert "command 0C" in sim.notes
    assert "nothing a reader may send" in sim.notes


def test_a_bridge_and_a_fault():
    arguments = ("--tcp", "127.0.0.1:0", "--at", NOON, "--speed", "fast", "--fault", "wrong-time=1")
    with serving(*arguments, driver="sma_rs485") as sim:
        where = ("127.0.0.1", int(sim.address.rpartition(":")[2]))
        with socket.create_connection(where, timeout=5) as opened:
            opened.sendall(SYN + ASK)
            heard = read(opened.fileno(), 90)
            assert heard[12:21] == bytes.fromhex("0f 09 00 01 00 7f 99 66 66")


def test_a_second_master_is_heard_without_being_asked(port):
    arguments = (
        "--pty",
        port,
        "--inverters",
        ONE,
        "--at",
        NOON,
        "--baudrate",
        "19200",
        "--fault",
        "foreign-master=2",
    )
    with serving(*arguments, driver="sma_rs485"), serial.Serial(port, 19200) as opened:
        assert ask(opened, SEARCH, len(FOUND)) == FOUND
        heard = read(opened.fileno(), 200, 2.5)
        assert heard.count(bytes.fromhex("80 00 0a")) >= 2
        assert heard.count(bytes.fromhex("40 00 0b 0f 09 00 01 00")) >= 1


def run(*arguments):
    return subprocess.run(
        [*COMMAND, *arguments], env=environment(), capture_output=True, text=True, timeout=20, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--inverters", "1:8000xi:colour=red"], "colour"),
        (["--fault", "checksum"], "'checksum'"),
        (["--fault", "dark=7"], "serial number 7"),
        (["--baudrate", "fast"], "fast"),
    ],
)
def test_a_wrong_command_line_is_64_and_says_what_is_wrong(arguments, says):
    done = run("serve", "sma_rs485", "--tcp", "127.0.0.1:0", *arguments)
    assert done.returncode == 64
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_help_lists_every_fault_and_option():
    said = run("serve", "sma_rs485", "--help").stdout
    module = plant.simulator("sma_rs485")
    assert all(f"  {name} " in said for name in [*plant.faults("sma_rs485"), *module.OPTIONS])
    assert module.INVERTERS in said


# -- the demonstration: prepared, and switched on with the driver in the registry ---------------------------------------

LOOK = """
import os, sys, tomllib
path = os.environ["PV_EXEC_CONFIG"]
config = tomllib.load(open(path, "rb"))
roof, stable = config["bus"]
print(roof["driver"], stable["driver"], [one["name"] for one in stable["inverter"]])
fd = os.open(stable["port"], os.O_RDWR | os.O_NOCTTY)
os.write(fd, bytes.fromhex(sys.argv[1]))
got = b""
while len(got) < 27:
    got += os.read(fd, 100)
print(got.hex())
print(sorted(os.listdir(os.path.join(config["paths"]["state"], "kept", "stable"))))
"""


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setitem(drivers.DRIVERS, "sma_rs485", "pv_exec.drivers.sma_rs485.driver")


def test_the_demo_has_a_second_bus_that_is_learned_already(registered, capfd):
    assert demo.run([sys.executable, "-c", LOOK, SEARCH.hex()], fast=True) == 0
    who, found, kept = capfd.readouterr().out.splitlines()
    assert who == "kaco sma_rs485 ['east', 'west']"
    assert bytes.fromhex(found) == FOUND
    assert "units" in kept
    assert "list-wr20_004-" in kept


def test_what_the_demo_learned_is_enough_to_read_it(registered, tmp_path):
    bus = next(one for one in demo.BUSES if one.driver == "sma_rs485")
    demo.learn(bus, str(tmp_path), seed=0)
    kept = read_kept(str(tmp_path), bus.name)
    (name,) = (name for name in kept if name.startswith("list-"))
    assert kept[name] == b"\x0a" + wr20_list()
    inverters = [{"name": "east", "serial": 2000123456}, {"name": "west", "serial": 2000234567}]
    line = plant.build(bus.driver, bus.inverters, spoilt=bus.spoilt, at=demo.SUN)
    done = Rehearsal(bus_plan(bus.driver, inverters, name=bus.name), line, wall=demo.SUN, kept=kept).run()
    assert done.states() == {"east": "ok", "west": "silent"}
    assert line.stations.notes == []


def test_without_its_driver_the_demo_is_as_it_was(monkeypatch):
    monkeypatch.delitem(drivers.DRIVERS, "sma_rs485", raising=False)
    assert [bus.name for bus in demo.buses()] == ["roof"]
