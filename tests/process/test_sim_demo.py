"""pv-sim demo: a plant and a configuration for a command, or until a signal."""

import os
import signal
import subprocess
import sys
import tomllib

import serial

from tests.process.simulated import COMMAND, environment

LOOK = """
import os, sys, tomllib
path = os.environ["PV_EXEC_CONFIG"]
config = tomllib.load(open(path, "rb"))
bus = config["bus"][0]
fd = os.open(bus["port"], os.O_RDWR | os.O_NOCTTY)
os.write(fd, b"#%02d0\\r" % bus["inverter"][0]["address"])
got = b""
while not got.endswith(b"\\r") or len(got) < 66:
    got += os.read(fd, 100)
print(path)
print(config["clock"]["trust"], bus["driver"], [one["name"] for one in bus["inverter"]], len(got))
print(os.path.isdir(config["paths"]["state"]), os.path.isdir(config["paths"]["runtime"]))
sys.exit(7)
"""


def demo(*command, extra=()):
    return subprocess.run(
        [*COMMAND, "demo", *extra, "--", *command],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_command_reads_the_plant_and_gives_its_status_and_nothing_stays():
    done = demo(sys.executable, "-c", LOOK, extra=("--speed", "fast"))
    assert done.returncode == 7, done.stderr
    path, plant, places = done.stdout.splitlines()
    assert plant == "always kaco ['south', 'barn', 'hall'] 66"
    assert places == "True True"
    assert not os.path.exists(os.path.dirname(path))


def test_a_command_that_is_none_and_one_that_is_killed_have_a_shells_status():
    assert demo("/nonexistent/command").returncode == 127
    assert demo("sh", "-c", "kill -9 $$").returncode == 128 + 9


def test_without_a_command_it_says_how_to_read_it_and_stays_until_told():
    process = subprocess.Popen(
        [*COMMAND, "demo", "--speed", "fast"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        name, _, path = process.stdout.readline().strip().partition("=")
        assert name == "PV_EXEC_CONFIG"
        with open(path, "rb") as file:
            config = tomllib.load(file)
        with serial.Serial(config["bus"][0]["port"], timeout=5) as opened:
            opened.write(b"#020\r")
            assert opened.read(6) == b"\n*024\r"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert out == ""
    assert f"pv-read --config {path}" in err
    assert not os.path.exists(os.path.dirname(path))


def test_a_told_demo_takes_its_command_with_it():
    process = subprocess.Popen(
        [*COMMAND, "demo", "--", "sh", "-c", "echo $$; exec sleep 60"],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    child = int(process.stdout.readline())
    process.terminate()
    assert process.wait(timeout=10) == 128 + signal.SIGTERM
    process.stdout.close()
    assert not os.path.exists(f"/proc/{child}")
