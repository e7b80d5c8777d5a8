"""Puts a family's stations on a line: which simulator, which faults belong to whom, which sun."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pv_exec.box import sun
from pv_exec.box.errors import Usage
from pv_exec.drivers import DRIVERS
from pv_exec.sim import faults as of_line
from pv_exec.sim.line import Line

LATITUDE, LONGITUDE = 47.27, 11.39
"""Where the simulated roof stands, in degrees."""


def simulator(driver: str) -> Any:
    """The simulator module of a family: Simulator, FAULTS, BAUD, INVERTERS. Raises Usage for a family without one."""
    try:
        return import_module(f"{DRIVERS[driver].rpartition('.')[0]}.simulator")
    except (KeyError, ModuleNotFoundError):
        known = ", ".join(DRIVERS)
        raise Usage(f"there is no simulator for the driver {driver!r}", f"choose one of: {known}") from None


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
) -> Line:
    """A line with its stations.

    `inverters`: as the family writes its list, empty: its own choice. `spoilt`: fault or modifier → value, empty:
    the default. `at`: unix time at which the sun stands still; without it, it is `epoch` plus the line's clock.
    `jitter`: seconds by which a real clock may mistake the gap between two requests. Raises Usage.
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
        wire = {name: value for name, value in given.items() if name not in module.FAULTS}
        return Line(stations, seed=seed, faults=wire, fast=fast)
    except ValueError as error:
        raise Usage(str(error)) from error
