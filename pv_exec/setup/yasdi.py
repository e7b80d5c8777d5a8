"""What is taken over from YASDI, SMA's own master: its channel lists (`devices/<type>.bin`) and its settings (`yasdi.ini`)."""

import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pv_exec.box import paths, toml
from pv_exec.box.errors import Corrupt, Usage
from pv_exec.box.settings import take
from pv_exec.conversation import Keep
from pv_exec.drivers.sma_rs485 import channels
from pv_exec.drivers.sma_rs485.driver import Options
from pv_exec.drivers.sma_rs485.memory import Memory
from pv_exec.drivers.sma_rs485.yasdi import Port, Settings, read_ini

DRIVER = "sma_rs485"

LONGEST_TYPE = 8
"""Characters of a type on the wire."""

TTY = "/dev/ttyUSB0"
"""Where the ini names no port that Linux has."""


class Taken(NamedTuple):
    """A channel list, taken over."""

    type: str
    keep: Keep
    channels: int
    doubt: str
    """What speaks against the list being whole; empty: nothing."""


def take_list(path: str) -> Taken:
    """A file of YASDI's directory `devices`; the type is its name. Raises Usage, with the file, for what is none."""
    kind, ending = os.path.splitext(os.path.basename(path))
    if ending.lower() != ".bin" or not 0 < len(kind) <= LONGEST_TYPE or not kind.isascii():
        raise Usage(
            f"{path}: the name says no type of inverter",
            "YASDI calls its files <type>.bin, such as WR20-004.bin; a type has at most 8 characters",
        )
    try:
        data = channels.kept(_content(path))
    except Corrupt as error:
        raise Usage(f"{path}: {error}") from error
    found = channels.parse(data)
    return Taken(kind, Memory({}).keep_list(kind, data), len(found), channels.gaps(found))


def unlearned(kept: Mapping[str, bytes], serials: list[int]) -> list[int]:
    """Those of which address or channel list is not known."""
    memory = Memory(kept)
    return [serial for serial in serials if memory.channels_of(serial) is None]


def tables(path: str, name: str) -> str:
    """A [[bus]] table for each port of a yasdi.ini, as TOML; what is doubtful stands in comments. Raises Usage."""
    settings = read_ini(_content(path).decode("utf-8", "replace"))
    if not settings.ports:
        raise Usage(f"{path} has no section [COM1] or the like", "take the yasdi.ini that YASDI ran with")
    lines = [f"# From {path}. Whatever stands behind a # is to be looked at."]
    lines += [f"# {doubt}" for doubt in (*settings.doubts, *_of_master(settings))]
    for place, port in enumerate(settings.ports):
        lines += ["", *_table(settings, port, name if not place else f"{name}-{port.section}")]
    return "".join(f"{''.join(char if char.isprintable() else '?' for char in line)}\n" for line in lines)


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(paths.LARGEST_KEPT + 1)
    except OSError as error:
        raise Usage(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > paths.LARGEST_KEPT:
        raise Usage(f"{path} is larger than any file of YASDI")
    return data


def _of_master(settings: Settings) -> Iterator[str]:
    if settings.master:
        yield f"Master.NetAddress = {settings.master}: pv-read asks as 0, which every inverter answers."
    if settings.addresses:
        low, high = settings.addresses
        yield f"Addresses {low} to {high} were given by YASDI: pv-setup learn leaves an address as it is if it can."
    if settings.lists:
        yield f"Channel lists: pv-setup learn … --import {settings.lists}/*.bin"


def _table(settings: Settings, port: Port, name: str) -> Iterator[str]:
    if port.media and port.media.lower() != "rs485":
        yield f"# [{port.section}] says Media={port.media}; this driver was made for RS485."
    yield "[[bus]]"
    yield f"name = {toml.written(name)}"
    yield f"driver = {toml.written(DRIVER)}"
    linux = port.device.startswith("/")
    yield f"port = {toml.written(port.device if linux else TTY)}" + (
        ""
        if linux
        else f"  # yasdi.ini says {port.device or 'nothing'}; best is a name in /dev/serial/by-path"
    )
    yield from _setting("baudrate", port.baudrate)
    framing = port.framings[0] if len(port.framings) == 1 else "auto"
    several = f"  # yasdi.ini: {', '.join(port.framings)}" if len(port.framings) > 1 else ""
    yield f"framing = {toml.written(framing)}{several}"
    if settings.wait is not None:
        yield from _setting("sync_wait", toml.written(settings.wait, "duration").strip('"'))


def _setting(key: str, value: int | str) -> Iterator[str]:
    """A line of the table, or a comment where our driver does not take what YASDI takes."""
    taken = take(Options, {key: value}, ("bus",))
    if taken.value is None:
        yield f"# {taken.faults[0]}"
    else:
        yield f"{key} = {toml.written(value)}"
