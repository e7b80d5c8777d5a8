"""The drop-in for Telegraf: one [[inputs.exec]] for the buses of one interval, in the form the installed Telegraf takes.

Facts (Telegraf's source and a real 1.39.3): the command as an array of strings from 1.39.0, as one string for all before,
and each form stops the other's Telegraf or will; log_stderr from 1.38.1; a non-zero exit status or one bad line throws a
run away; the default timeout of 5 s and the default format JSON are both wrong for us.
"""

import math
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pv_exec.box import toml
from pv_exec.box.errors import Usage
from pv_exec.run.plan import BusPlan

MARK = "## Written by `pv-setup telegraf`"
"""How a file of ours begins; no other is overwritten."""

ARRAYS, LOG_STDERR = (1, 39, 0), (1, 38, 1)

ANSWERS_WITHIN = 10.0
"""Seconds for `telegraf --version`; a 24 MB program on a slow card takes one or two."""

AFTER = 1.0
"""Seconds from our own deadline to Telegraf's timeout: pv-read ends itself first, and SIGTERM is for what hangs."""

PLACES = ("/usr/bin/telegraf", "/usr/local/bin/telegraf")
"""Where its packages put it; a person's PATH may be another."""

Version = tuple[int, int, int]


class Group(NamedTuple):
    """The buses of one [[inputs.exec]]."""

    alias: str
    interval: float
    timeout: float
    buses: tuple[str, ...]
    arguments: tuple[str, ...]


def version(text: str) -> Version:
    """The version in "1.38", "1.39.3" or "Telegraf 1.39.3 (git: …)". Raises Usage for anything else."""
    found = re.search(r"(?<![\d.])v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?", text)
    if not found:
        raise Usage(f"{text.strip()[:60]!r} is no version of Telegraf", "such as --for 1.38.4")
    return int(found[1]), int(found[2]), int(found[3] or 0)


def installed(path: str | None) -> Version | None:
    """The version of the Telegraf at `path`, or of the one on the PATH; None where there is none.

    Raises Usage where the program named is not there, does not answer in time, or has no version (one that was built
    without says "unknown").
    """
    program = next(filter(None, map(shutil.which, [path] if path else ["telegraf", *PLACES])), None)
    if program is None:
        if path:
            raise Usage(f"{path} is no program", "name Telegraf itself, or its version with --for")
        return None
    try:
        done = subprocess.run(
            [program, "--version"],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWERS_WITHIN,
        )
    except subprocess.TimeoutExpired:
        raise Usage(
            f"{program} does not say its version within {ANSWERS_WITHIN:g} s", "name it with --for"
        ) from None
    except OSError as error:
        raise Usage(f"{program} cannot be run: {error.strerror}", "name its version with --for") from error
    said = done.stdout.partition("\n")[0]
    if not said.startswith("Telegraf "):
        raise Usage(f"{program} says {said[:60]!r}, which is no Telegraf", "name another with --telegraf")
    try:
        return version(said)
    except Usage:
        raise Usage(f"{program} does not know its version ({said!r})", "name it with --for") from None


def groups(buses: Iterable[BusPlan]) -> list[Group]:
    """The buses by interval, in the order of the file; with one group no bus need be named."""
    by_interval: dict[float, list[BusPlan]] = {}
    for bus in buses:
        by_interval.setdefault(bus.interval, []).append(bus)
    several = len(by_interval) > 1
    found = []
    for interval, members in by_interval.items():
        names = tuple(bus.name for bus in members)
        arguments = [part for name in names for part in _named(name)] if several else []
        suffix = "-" + toml.written(interval, "duration").strip('"') if several else ""
        # Whole seconds: the least Telegraf's own documentation ever shows, and at most one more to wait.
        timeout = float(math.ceil(max(bus.deadline for bus in members) + AFTER))
        found.append(Group(f"pv{suffix}", interval, timeout, names, tuple(arguments)))
    return found


def _named(bus: str) -> tuple[str, ...]:
    """The option that names a bus; one that begins with a dash would pass for an option itself."""
    return (f"--bus={bus}",) if bus.startswith("-") else ("--bus", bus)


def render(buses: Sequence[BusPlan], command: Sequence[str], target: Version | None, config: str) -> str:
    """The text of the drop-in. `command`: pv-read and what every call of it needs; `target`: None is the newest form."""
    arrays = target is None or target >= ARRAYS
    wanted = ".".join(map(str, target)) if target else "1.39 and newer"
    lines = [
        f"{MARK} for Telegraf {wanted}, from {_comment(config)}.",
        "## Change that and run it again: it replaces this file.",
    ]
    if target is None:
        lines += ["## An older Telegraf does not start with this: pv-setup telegraf --for 1.38"]
    for group in groups(buses):
        argv = [*command, *group.arguments]
        lines += ["", f"## {'Bus' if len(group.buses) == 1 else 'Buses'}: {_comment(', '.join(group.buses))}"]
        lines += ["[[inputs.exec]]", f"  alias = {_string(group.alias)}"]
        lines += [f"  commands = [{_array(argv) if arrays else _string(shlex.join(argv))}]"]
        lines += [f"  interval = {toml.written(group.interval, 'duration')}"]
        lines += [
            "  ## Later than pv-read's own deadline; what still hangs then gets SIGTERM, prints what it has, and that counts.",
            f"  timeout = {toml.written(group.timeout, 'duration')}",
            "  ## Stamps stay as they are, whatever [agent] rounds to: a reading is known by its stamp.",
            '  precision = "1ns"',
            '  data_format = "influx"',
        ]
        if target is None or target >= LOG_STDERR:
            lines += [
                "  ## The most important complaint of a run, as a line of Telegraf's log.",
                "  log_stderr = true",
            ]
    return "\n".join(lines) + "\n"


def _array(argv: Sequence[str]) -> str:
    """A command as an array; its program is a glob to Telegraf, so that what would be a wildcard is escaped."""
    program = re.sub(r"([*?\[\\])", r"\\\1", argv[0])
    return "[" + ", ".join(map(_string, (program, *argv[1:]))) + "]"


def _string(text: str) -> str:
    """A TOML string in which Telegraf finds no environment variable: it replaces $NAME in strings, and $$ is a $."""
    return toml.written(text.replace("$", "$$"))


def _comment(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)
