"""The registry: a family of inverters is one folder here and one line below; nothing is imported until a bus asks for it."""

import sys
from typing import TYPE_CHECKING

from pv_exec.box.errors import ConfigFaults
from pv_exec.conversation import Driver

DRIVERS = {
    "kaco": "pv_exec.drivers.kaco.driver",
    "sma_rs485": "pv_exec.drivers.sma_rs485.driver",
}

if TYPE_CHECKING:  # a typed line for each holds it to the Protocol
    from pv_exec.drivers.kaco import driver as kaco
    from pv_exec.drivers.sma_rs485 import driver as sma_rs485

    _kaco: Driver = kaco
    _sma_rs485: Driver = sma_rs485


def load(name: str) -> Driver:
    """Import a family's driver. Raises ConfigFaults for a name that is none."""
    try:
        path = DRIVERS[name]
    except KeyError:
        raise ConfigFaults(f'there is no driver "{name}"', f"choose one of: {', '.join(DRIVERS)}") from None
    __import__(path)  # and not importlib, which nothing else needs at start-up
    driver: Driver = sys.modules[path]  # each driver.py holds itself to the Protocol
    return driver
