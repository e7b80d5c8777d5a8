"""The manual pages: complete, true, and without a warning of the formatter."""

import os
import re
import shutil
import subprocess
from collections import Counter

import pytest

from pv_exec import drivers
from pv_exec.box import errors
from pv_exec.model import STATES
from pv_exec.setup.check import OUR_TAGS
from tests.unit.docs.pages import (
    COMMANDS,
    MARKDOWN,
    PAGES,
    PARSERS,
    ROOT,
    actions,
    chapter,
    flags,
    items,
    plain,
    subcommands,
    text,
)
from tests.unit.kaco import test_damage_crc
from tools import man

STATUSES = {value for name, value in vars(errors).items() if name.isupper() and isinstance(value, int)}
KACO = text("packaging/man/pv-exec-kaco.7")


@pytest.mark.parametrize("page", PAGES)
def test_what_is_generated_is_what_the_code_says(page):
    assert man.rewritten(text(page)) == text(page), "run: python -m tools.man"


def test_every_generated_part_stands_in_one_place():
    used = Counter(part for page in PAGES for part in man.parts(text(page)))
    assert used == Counter(list(man.PARTS))


@pytest.mark.parametrize("page", PAGES)
def test_the_formatter_has_nothing_to_complain_of(page):
    if not shutil.which("groff"):
        pytest.skip("no groff here")
    done = subprocess.run(
        ["groff", "-k", "-Kutf8", "-mandoc", "-ww", "-Tutf8", os.path.join(ROOT, page)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) > 50


def test_every_command_and_every_family_has_a_page():
    names = {os.path.basename(page) for page in PAGES}
    assert {f"{name}.1" for name in PARSERS} <= names
    assert {f"pv-exec-{name.replace('_', '-')}.7" for name in drivers.DRIVERS} <= names


def place(command: str) -> str:
    """Where the options of a command are described."""
    name, _, sub = command.partition(" ")
    page = text(f"packaging/man/{name}.1")
    if sub:
        return chapter(page, "Ss", sub)
    if subcommands(PARSERS[name]):
        return re.split(r"^\.Ss ", chapter(page, "Sh", "DESCRIPTION"), maxsplit=1, flags=re.MULTILINE)[0]
    return chapter(page, "Sh", "OPTIONS")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_described_and_no_other(command):
    described = {flag for item in items(place(command)) for flag in flags(item)}
    options = {flag for action in actions(COMMANDS[command]) for flag in action.option_strings}
    assert described - {"-h", "--help"} == options


@pytest.mark.parametrize("command", COMMANDS)
def test_every_choice_is_named(command):
    for action in actions(COMMANDS[command]):
        for choice in action.choices or ():
            assert re.search(rf"\b{choice}\b", place(command)), (action.dest, choice)


@pytest.mark.parametrize("name", PARSERS)
def test_the_synopsis_has_every_option(name):
    synopsis = flags(chapter(text(f"packaging/man/{name}.1"), "Sh", "SYNOPSIS"))
    for command, parser in COMMANDS.items():
        if command.split()[0] == name:
            for action in parser._actions:
                if action.option_strings and action in [*actions(parser), parser._actions[0]]:
                    assert synopsis & set(action.option_strings), action.option_strings


@pytest.mark.parametrize("page", PAGES)
def test_no_option_is_named_that_is_none(page):
    name = os.path.basename(page).removesuffix(".1")
    known = {
        flag
        for command, parser in COMMANDS.items()
        if page.endswith((".5", ".7")) or command.split()[0] == name
        for flag in parser._option_string_actions
    }
    assert flags(text(page)) <= known


@pytest.mark.parametrize("page", [*PAGES, *MARKDOWN])
def test_every_page_referred_to_is_there(page):
    source = plain(text(page))
    named = re.findall(r"\b(pv-[a-z.-]+)\((\d)\)", source) + re.findall(r"\.Xr (\S+) (\d)", source)
    assert {f"packaging/man/{name}.{number}" for name, number in named} <= set(PAGES)


def test_exit_statuses():
    listed = {
        name: {int(item) for item in items(chapter(text(f"packaging/man/{name}.1"), "Sh", "EXIT STATUS"))}
        for name in PARSERS
    }
    assert listed["pv-read"] == {0, 130} | STATUSES
    assert listed["pv-setup"] == {
        0,
        errors.USAGE,
        errors.UNREACHABLE,
        errors.DENIED,
        errors.MISCONFIGURED,
    }
    assert listed["pv-sim"] == {0, errors.USAGE, errors.BUG}


def test_states():
    listed = dict(
        item.removeprefix("Ic ").split()[::-1]
        for item in items(chapter(text("packaging/man/pv-exec-fields.5"), "Sh", "STATES"))
    )
    assert listed == {word: str(code) for word, code in STATES.items()}


def test_tags():
    listed = items(chapter(text("packaging/man/pv-exec-fields.5"), "Sh", "TAGS"))
    assert {item.removeprefix("Ic ") for item in listed} == set(OUR_TAGS)


def test_what_passes_the_crc_is_counted_and_listed():
    tried, passed, believed = (
        sum(column) for column in zip(*test_damage_crc.UP_TO_THREE_BITS.values(), strict=True)
    )
    bursts, _, none = (sum(column) for column in zip(*test_damage_crc.BURSTS.values(), strict=True))
    frames = [frame for of in test_damage_crc.BELIEVED.values() for frame in of]
    assert (passed, believed, none) == (222, 4, 0)
    said = " ".join(KACO.split())
    assert f"({tried:,} errors): 222 pass the CRC" in said
    assert "and four are believed" in said
    assert f"({bursts:,}) none is believed" in said
    assert len(frames) == believed
    for frame in frames:
        assert frame.decode().strip() in plain(KACO)
    invented = [name for name in test_damage_crc.FRAMES if "invented" in name]
    assert (len(test_damage_crc.FRAMES) - len(invented), len(invented)) == (11, 2)
    assert "eleven recorded frames and two invented ones" in said
