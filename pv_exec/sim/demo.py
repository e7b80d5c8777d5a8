"""The demonstration plant: three Kaco inverters of three families on one pty, with a configuration that reads them."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from pv_exec.sim import plant
from pv_exec.sim.line import Line
from pv_exec.sim.serve import JITTER, Pty, serve, signals, tell_notes

INVERTERS = "1:8000xi,2:3x10k,3:390TL"

SUN = 1782036000.0
"""2026-06-21 10:00 UTC: it stands still, so that the demonstration is the same by night."""

CONFIG = """\
[site]
name = "pv_demo"
latitude = {latitude}
longitude = {longitude}

[clock]
trust = "always"              # a laptop or a container often cannot say who set its clock

[read]
interval = "10s"

[[bus]]
name = "roof"
driver = "kaco"
port = "{directory}/roof"

[[bus.inverter]]
name = "south"                # 8000xi, one generator, one phase
address = 1

[[bus.inverter]]
name = "barn"                 # 3x10k, three inverters in one
address = 2

[[bus.inverter]]
name = "hall"                 # 390TL, three generators, three phases
address = 3

[paths]
state = "{directory}/state"
runtime = "{directory}/run"
"""


def run(command: Sequence[str], *, seed: int = 0, at: float = SUN, fast: bool = False) -> int:
    """Serve the plant while `command` runs, with PV_EXEC_CONFIG set, and return its status; without one until a signal."""
    line = plant.build("kaco", INVERTERS, seed=seed, at=at, fast=fast, jitter=JITTER)
    status = 0
    with tempfile.TemporaryDirectory(prefix="pv-sim-") as directory:
        config = os.path.join(directory, "config.toml")
        for name in ("state", "run"):
            os.mkdir(os.path.join(directory, name), 0o700)
        with open(config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(directory=directory, latitude=plant.LATITUDE, longitude=plant.LONGITUDE))
        with signals() as stop:
            end = Pty(os.path.join(directory, "roof"))
            if command:
                status = _beside(line, end, command, config, stop)
            else:
                serve(line, end, ready=lambda _: _invite(config), stop=stop)
    tell_notes(line)
    return status


def _beside(line: Line, end: Pty, command: Sequence[str], config: str, stop: int) -> int:
    """Start the command once the port is there, serve until it ends or we are told to, and return a shell's status."""
    children: list[subprocess.Popen[bytes]] = []

    def start(_address: str) -> int:
        child = subprocess.Popen(command, env={**os.environ, "PV_EXEC_CONFIG": config})
        children.append(child)
        return os.pidfd_open(child.pid)

    try:
        serve(line, end, ready=start, stop=stop)
    except FileNotFoundError:
        print(f"pv-sim: there is no command {command[0]!r}", file=sys.stderr)
        return 127
    except PermissionError:
        print(f"pv-sim: {command[0]!r} is no command that may be run", file=sys.stderr)
        return 126
    finally:
        for child in children:
            _end(child)
    status = children[0].returncode
    return status if status >= 0 else 128 - status


def _end(child: subprocess.Popen[bytes]) -> None:
    """Leave no child behind."""
    try:
        child.wait(0.05)  # over already, or getting over: a Ctrl-C reaches it too
    except subprocess.TimeoutExpired:
        child.terminate()
        try:
            child.wait(5.0)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _invite(config: str) -> None:
    """Say where the plant is and how to read it."""
    print(f"PV_EXEC_CONFIG={config}", flush=True)
    print(
        "pv-sim: three inverters are on the line until Ctrl-C. In another terminal:\n"
        f"    pv-read --config {config} --format table",
        file=sys.stderr,
    )
