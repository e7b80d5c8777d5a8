"""What pv-read loads to do its work: counts are stable where milliseconds are not (facts: style C2)."""

import json
import subprocess
import sys

from tests.e2e.process import wait_for

FORBIDDEN = {
    "asyncio", "ctypes", "dataclasses", "difflib", "email", "http", "importlib.metadata", "inspect",
    "logging", "multiprocessing", "pathlib", "pickle", "psutil", "selectors", "sqlite3", "subprocess", "tempfile",
    "threading", "traceback", "urllib",
}  # fmt: skip
MOST = 105
"""Modules that are not ours, an idle interpreter's 33 among them."""

PROBE = """
import os, sys, json
from pv_exec.cli import read
from pv_exec.run import keeper, worker

log = sys.argv.pop(1)
def logged(name, function):
    def call(*arguments):
        result = function(*arguments)
        with open(log, "a") as file:
            file.write(json.dumps([name, sorted(sys.modules)]) + "\\n")
        return result
    return call

from pv_exec.run import parent
parent.work = logged("worker", parent.work)
parent.keep = logged("keeper", parent.keep)
status = read._main(sys.argv[1:])
with open(log, "a") as file:
    file.write(json.dumps(["parent", sorted(sys.modules)]) + "\\n")
os._exit(status)
"""


def modules(plant, *arguments: str) -> dict[str, set[str]]:
    """Modules loaded at the end by process of a run, without those of an idle interpreter."""
    log = plant.directory / "modules"
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROBE, str(log), "--config", plant.config, *arguments],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

    def told() -> dict[str, set[str]]:
        """Whole lines alone: the keeper tells last, after the parent has gone."""
        lines = log.read_text().splitlines(keepends=True)
        return {
            name: set(loaded) for name, loaded in (json.loads(one) for one in lines if one.endswith("\n"))
        }

    wait_for(lambda: len(told()) == 3, "parent, worker and keeper have told")
    found = told()
    log.unlink()
    return found


def test_no_process_of_a_run_loads_what_it_does_not_need(plant):
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]")
    found = modules(plant)
    assert set(found) == {"parent", "worker", "keeper"}
    for name, loaded in found.items():
        assert not loaded & FORBIDDEN, name
        others = {module for module in loaded if not module.startswith("pv_exec")}
        assert len(others) <= MOST, (name, sorted(others))


def test_a_serial_bus_loads_no_socket_and_a_bridge_no_pyserial(plant):
    plant.serve("1:8000xi")
    plant.configure("inverters = [1]")
    assert "socket" not in modules(plant)["worker"]
    plant.configure("inverters = [1]", port="tcp://127.0.0.1:1")
    assert "serial" not in modules(plant)["worker"]
