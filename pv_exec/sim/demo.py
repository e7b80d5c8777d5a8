"""The demonstration plant: a bus for each family on a pty of its own, with a configuration that reads them."""

import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pv_exec.box.paths import write_kept
from pv_exec.drivers import DRIVERS
from pv_exec.sim import plant
from pv_exec.sim.line import Line
from pv_exec.sim.rehearsal import Rehearsal, bus_plan
from pv_exec.sim.serve import JITTER, End, Pty, serve, signals, tell_notes

SUN = 1782036000.0
"""2026-06-21 10:00 UTC: it stands still, so that the demonstration is the same by night."""


class DemoBus(NamedTuple):
    """One bus of the plant."""

    name: str
    driver: str
    inverters: str
    """As the family's simulator writes them."""
    config: str
    """Its [[bus]] table, without name, driver and port."""
    spoilt: Mapping[str, str] = {}
    learned: bool = False
    """What `pv-setup learn` would keep of it is there already."""


BUSES = (
    DemoBus(
        "roof",
        "kaco",
        "1:8000xi,2:3x10k,3:390TL",
        """\
[[bus.inverter]]
name = "south"                # 8000xi, one generator, one phase
address = 1

[[bus.inverter]]
name = "barn"                 # 3x10k, three inverters in one
address = 2

[[bus.inverter]]
name = "hall"                 # 390TL, three generators, three phases
address = 3
""",
    ),
    DemoBus(
        "stable",
        "sma_rs485",
        "2000123456:WR20-004,2000234567:WR20-004",
        """\
[[bus.inverter]]
name = "east"                 # a Sunny Boy 2000
serial = 2000123456

[[bus.inverter]]
name = "west"                 # another one, which is asleep
serial = 2000234567
""",
        {"dark": "2000234567"},
        learned=True,
    ),
)
"""Every bus; one whose driver is not in the registry yet is left out."""

CONFIG = """\
[site]
name = "pv_demo"              # without a place: the simulated sun stands still, and silence is sleep at any hour

[clock]
trust = "always"              # a laptop or a container often cannot say who set its clock

[read]
interval = "10s"

[paths]
state = "{directory}/state"
runtime = "{directory}/run"
"""

TABLE = """
[[bus]]
name = "{bus.name}"
driver = "{bus.driver}"
port = "{directory}/{bus.name}"

{bus.config}"""


def buses() -> list[DemoBus]:
    """What there is a driver for."""
    return [bus for bus in BUSES if bus.driver in DRIVERS]


def run(command: Sequence[str], *, seed: int = 0, at: float = SUN, fast: bool = False) -> int:
    """Serve the plant while `command` runs, with PV_EXEC_CONFIG set, and return its status; without one until a signal."""
    status = 0
    with tempfile.TemporaryDirectory(prefix="pv-sim-") as directory:
        config = os.path.join(directory, "config.toml")
        for name in ("state", "run"):
            os.mkdir(os.path.join(directory, name), 0o700)
        with open(config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(directory=directory))
            file.writelines(TABLE.format(bus=bus, directory=directory) for bus in buses())
        ports: list[tuple[Line, End]] = []
        for bus in buses():
            if bus.learned:
                learn(bus, os.path.join(directory, "state"), seed=seed)
            line = plant.build(
                bus.driver, bus.inverters, seed=seed, spoilt=bus.spoilt, at=at, fast=fast, jitter=JITTER
            )
            ports.append((line, Pty(os.path.join(directory, bus.name))))
        with signals() as stop:
            if command:
                status = _beside(ports, command, config, stop)
            else:
                serve(*ports[0], ready=lambda _: _invite(config), stop=stop, beside=ports[1:])
    for line, _ in ports:
        tell_notes(line)
    return status


def learn(bus: DemoBus, state: str, *, seed: int) -> None:
    """Keep in `state` what the driver's `learn` finds on this bus by day, all of it awake.

    In virtual time: a minute of the wire takes a moment. Raises AttributeError for a driver that learns nothing.
    """
    plan = bus_plan(bus.driver, tomllib.loads(bus.config)["bus"]["inverter"], name=bus.name)
    rehearsal = Rehearsal(plan, plant.build(bus.driver, bus.inverters, seed=seed, at=SUN), wall=SUN)
    for keep in rehearsal.learn().keeps:
        if keep.durable:
            write_kept(state, bus.name, keep.name, keep.data, durable=False)


def _beside(ports: Sequence[tuple[Line, End]], command: Sequence[str], config: str, stop: int) -> int:
    """Start the command once the ports are there, serve until it ends or we are told to, and return a shell's status."""
    children: list[subprocess.Popen[bytes]] = []

    def start(_address: str) -> int:
        child = subprocess.Popen(command, env={**os.environ, "PV_EXEC_CONFIG": config})
        children.append(child)
        return os.pidfd_open(child.pid)

    try:
        serve(*ports[0], ready=start, stop=stop, beside=ports[1:])
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
    count = sum(bus.inverters.count(",") + 1 for bus in buses())
    print(f"PV_EXEC_CONFIG={config}", flush=True)
    print(
        f"pv-sim: {count} inverters are on the line until Ctrl-C. In another terminal:\n"
        f"    pv-read --config {config} --format table",
        file=sys.stderr,
    )
