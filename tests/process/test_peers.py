"""Somebody else's client reads our simulator: a mistake that our codec makes both ways would show here.

kaco-serial 1.0.2 (PyPI) wants Python 3.13; it gets an environment of its own outside the tree, made once.
"""

import glob
import json
import os
import shutil
import subprocess

import pytest

from tests.process.simulated import NOON, serving

WANTED = "kaco-serial==1.0.2"

CLIENT = """
import asyncio, json, sys
from kaco_rs485 import AsyncBus, KacoRs485Client

async def main():
    async with AsyncBus(sys.argv[1]) as bus:
        states = await KacoRs485Client(bus, [1, 2]).poll_cycle()
    said = {}
    for address, state in states.items():
        m, t = state.measured, state.totals
        said[address] = [
            m.address, m.checksum_ok, m.status, m.dc_voltage_v, m.dc_current_a, m.dc_power_w, m.ac_voltage_v,
            m.ac_current_a, m.ac_power_w, m.temperature_c, m.daily_yield_wh, m.inverter_type.strip(),
            t.daily_yield_wh, t.total_yield_raw, t.total_uptime, state.firmware,
        ]
    print(json.dumps(said))

asyncio.run(main())
"""


def interpreter() -> str | None:
    """A Python of 3.13 or newer on this machine."""
    candidates = [shutil.which("python3.13"), shutil.which("python3.14")]
    candidates += sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.1[3-9]*/bin/python")))
    for path in candidates:
        # pyenv puts a script of that name on the path that may only say where the real one is.
        if (
            path
            and subprocess.run([path, "-c", "import venv"], capture_output=True, check=False).returncode == 0
        ):
            return path
    return None


@pytest.fixture(scope="module")
def peer():
    """Path of an interpreter that has the client."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    home = os.path.join(cache, "pv-exec", "peers", WANTED.replace("==", "-"))
    python = os.path.join(home, "bin", "python")
    if os.path.exists(os.path.join(home, "made")):
        return python
    base = interpreter()
    if base is None:
        pytest.skip(f"{WANTED} needs Python 3.13, and there is none here")
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", WANTED]
    for command in ([base, "-m", "venv", "--clear", home], install):
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        if done.returncode:
            pytest.skip(f"{WANTED} cannot be installed: {done.stderr.strip()[-200:]}")
    with open(os.path.join(home, "made"), "w", encoding="utf-8"):
        return python


@pytest.mark.timeout(240)
def test_kaco_serial_reads_what_the_frames_say(peer, tmp_path):
    port = str(tmp_path / "tty")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with serving("--pty", port, "--at", NOON, "--inverters", "1:8000xi,2:6400xi", "--seed", "3") as sim:
        done = subprocess.run(
            [peer, "-c", CLIENT, port], capture_output=True, text=True, timeout=60, env=clean, check=False
        )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert sim.notes == ""  # it keeps to one request a second, as we must
    for address, of_type in (("1", "8000xi"), ("2", "6400xi")):
        assert said[address] == expected(int(address), of_type), address


def expected(address, of_type):
    """The same values, cut out of the simulator's bytes at the places of the sheet (§5.1, §7, §8)."""
    from pv_exec.sim.plant import build
    from pv_exec.sim.virtual import VirtualLink

    link = VirtualLink(build("kaco", "1:8000xi,2:6400xi", at=1782036000.0, seed=3))

    def ask(command):
        link.write(b"#%02d%s\r" % (address, command))
        link.sleep(1.0)
        return link.read(0.0)

    live, totals, firmware = ask(b"0"), ask(b"3").split(), ask(b"8")
    whole = [int(live[a:b]) for a, b in ((6, 9), (22, 27), (40, 45), (46, 49), (50, 56))]
    parts = [float(live[a:b]) for a, b in ((10, 15), (16, 21), (28, 33), (34, 39))]
    return [
        address, True, whole[0], parts[0], parts[1], whole[1], parts[2], parts[3], whole[2], whole[3], whole[4], of_type,
        int(totals[1]), int(totals[3]), totals[6].decode(), firmware[6:-1].decode(),
    ]  # fmt: skip
