"""Where the real parts are that `make parts` gets (tools/parts): the only place in the tests that knows."""

import functools
import glob
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from typing import NamedTuple

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TELEGRAF_VERSION = "1.39.3"


class Missing(NamedTuple):
    why: str


def required() -> bool:
    """A missing part is a failure: in CI, and where PV_EXEC_PARTS=required says so."""
    return bool(os.environ.get("CI")) or os.environ.get("PV_EXEC_PARTS") == "required"


def said(*command: str) -> str:
    done = subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20
    )
    return done.stdout + done.stderr


def telegraf() -> str | Missing:
    path = said(os.path.join(CHECKOUT, "tools", "parts"), "telegraf").strip()
    if not os.access(path, os.X_OK):
        return Missing(f"Telegraf {TELEGRAF_VERSION} is not built; run: make parts")
    if TELEGRAF_VERSION not in (version := said(path, "--version")):
        return Missing(f"{path} is {version.strip()!r}, the tests know Telegraf {TELEGRAF_VERSION}")
    return path


def influxd() -> str | Missing:
    path = shutil.which("influxd", path=os.environ.get("PATH", os.defpath) + ":/usr/bin:/usr/sbin")
    if path is None:
        return Missing("influxd (InfluxDB 1.x, Debian's influxdb) is not installed; run: make parts")
    # "InfluxDB v1.6.7~rc0 (git: …)"; 2.x takes neither this configuration nor InfluxQL without mappings.
    if not re.match(r"InfluxDB v?1\.", version := said(path, "version")):
        return Missing(f"{path} is {version.strip()!r}, the tests need InfluxDB 1.x")
    return path


def faketime() -> str | Missing:
    return shutil.which("faketime") or Missing("faketime is not installed; run: make parts")


def libfaketime() -> str | Missing:
    """The library for LD_PRELOAD, where a wrapper process would be in the way (signals, process age)."""
    found = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    return found[0] if found else Missing("libfaketime is not installed; run: make parts")


def pv(name: str) -> str | Missing:
    """The installed command itself, as Telegraf starts it."""
    path = os.path.join(CHECKOUT, ".venv", "bin", name)
    return path if os.access(path, os.X_OK) else Missing(f"{name} is not in .venv; run: make .venv/made")


PARTS: dict[str, Callable[[], str | Missing]] = {
    "telegraf": telegraf,
    "influxd": influxd,
    "faketime": faketime,
    "libfaketime": libfaketime,
    "pv-read": functools.partial(pv, "pv-read"),
    "pv-setup": functools.partial(pv, "pv-setup"),
    "pv-sim": functools.partial(pv, "pv-sim"),
}


@functools.cache
def find(name: str) -> str | Missing:
    return PARTS[name]()
