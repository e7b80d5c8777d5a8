"""Puts a family's stations on a line: which simulator, which faults belong to whom, which sun."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any

from pv_exec import drivers
from pv_exec.box import sun
from pv_exec.box.errors import Usage
from pv_exec.sim import faults as of_line
from pv_exec.sim.line import Line

LATITUDE, LONGITUDE = 47.27, 11.39
"""Where the simulated roof stands, in degrees."""


@cache
def families() -> tuple[str, ...]:
    """Every family that has a simulator, by its driver's name: it need not be in the registry of drivers yet."""
    folders = [found.name for found in iter_modules(drivers.__path__) if found.ispkg]
    return tuple(name for name in folders if find_spec(_module(name)))


def _module(driver: str) -> str:
    return f"{drivers.__name__}.{driver}.simulator"


def simulator(driver: str) -> Any:
    """The simulator module of a family: Simulator, FAULTS, BAUD, GAP, INVERTERS. Raises Usage for a family without one."""
    if driver not in families():
        known = ", ".join(families())
        raise Usage(f"there is no simulator for the driver {driver!r}", f"choose one of: {known}")
    return import_module(_module(driver))


def faults(driver: str) -> dict[str, str]:
    """Every fault that this family can be given, name → what it does."""
    return {**simulator(driver).FAULTS, **of_line.FAULTS}


def build(
    driver: str,
    inverters: str = "",
    *,
    seed: int = 0,
    spoilt: Mapping[str, str] | None = None,
    at: float | None = None,
    epoch: float = 0.0,
    fast: bool = False,
    jitter: float = 0.0,
    baudrate: int | None = None,
) -> Line:
    """A line with its stations.

    `inverters`: as the family writes its list, empty: its own choice. `spoilt`: fault or modifier → value, empty:
    the default. `at`: unix time at which the sun stands still; without it, it is `epoch` plus the line's clock.
    `jitter`: seconds by which a real clock may mistake the gap between two requests. `baudrate`: of the line, without
    it the one that the family comes with. Raises Usage.
    """
    module = simulator(driver)
    given = dict(spoilt or {})
    if unknown := [
        n for n in given if n not in module.FAULTS and n not in of_line.FAULTS and n not in of_line.MODIFIERS
    ]:
        raise Usage(f"there is no fault {unknown[0]!r}", f"list them with: pv-sim serve {driver} --help")
    try:
        stations = module.Simulator(
            inverters or module.INVERTERS,
            seed=seed,
            faults={name: value for name, value in given.items() if name not in of_line.FAULTS},
            elevation=lambda t: sun.elevation(t, LATITUDE, LONGITUDE),
            at=at,
            epoch=epoch,
            gap=0.0 if fast else module.GAP,
            jitter=jitter,
        )
        stations.BAUD = baudrate or module.BAUD
        wire = {name: value for name, value in given.items() if name not in module.FAULTS}
        return Line(stations, seed=seed, faults=wire, fast=fast)
    except ValueError as error:
        raise Usage(str(error)) from error
