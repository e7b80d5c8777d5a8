"""CONTRIBUTING.md follows one reading through the code: what it names is there, and what it quotes stands there."""

import re
from importlib import import_module

import pytest

from pv_exec import __version__, drivers, model
from pv_exec.box import errors
from pv_exec.conversation import Driver
from pv_exec.sim import plant
from tests.unit.docs.pages import fenced, section, text

TEN = {
    "Bus": "model", "Inverter": "model", "Driver": "conversation", "Conversation": "conversation",
    "Query": "conversation", "Outcome": "model", "Stamp": "model", "Line": "model", "Link": "conversation",
    "PvError": "box.errors",
}  # fmt: skip
"""Type → where it is."""

PATH = section("CONTRIBUTING.md", "One reading")
FAMILY = section("CONTRIBUTING.md", "A new family")


def test_the_ten_types_are_there_in_the_code_and_on_the_page():
    assert set(re.findall(r"\*\*`(\w+)`\*\*", PATH)) == set(TEN)
    for name, module in TEN.items():
        assert hasattr(import_module(f"pv_exec.{module}"), name)


def test_every_step_of_a_conversation_is_named():
    for name in ("Send", "Listen", "Report", "Keep", "Heard"):
        assert f"`{name}`" in PATH
        assert hasattr(import_module("pv_exec.conversation"), name)


QUOTES = [block for block in fenced("CONTRIBUTING.md") if block.kind == "python"]


@pytest.mark.parametrize("block", QUOTES, ids=lambda block: block.where)
def test_a_quotation_stands_in_the_file_it_names_in_that_order(block):
    first, *lines = block.text.splitlines()
    source = [line.strip() for line in text(first.removeprefix("# ")).splitlines()]
    at = 0
    for line in lines:
        if line.strip() not in ("...", ""):
            assert line.strip() in source[at:], line
            at = source.index(line.strip(), at) + 1


def test_there_are_quotations():
    assert len(QUOTES) >= 4


def named(head: str) -> set[str]:
    """The names in the first sentence of an entry."""
    found = re.search(rf"^\* `{re.escape(head)}`: (.*?)\.", FAMILY, re.MULTILINE | re.DOTALL)
    assert found
    return set(re.findall(r"`(\w+)`", found[1]))


@pytest.mark.parametrize("family", drivers.DRIVERS)
def test_what_a_family_brings_is_what_the_families_have(family):
    shape = {name for name in vars(Driver) if not name.startswith("_")} | set(Driver.__annotations__)
    assert named("driver.py") == shape
    assert all(hasattr(drivers.load(family), name) for name in shape)
    assert all(hasattr(plant.simulator(family), name) for name in named("simulator.py"))


@pytest.mark.parametrize("family", drivers.DRIVERS)
def test_what_the_tests_ask_for_is_there(family):
    for path in re.findall(r"`((?:tests|packaging)/[^`]*<family>[^`]*)`", FAMILY):
        file = path.replace("<family>", family if path.startswith("tests") else family.replace("_", "-"))
        if file.endswith("/"):
            assert import_module(f"{file.replace('/', '.')}frames").__doc__
        else:
            assert text(file)


def test_the_errors_it_names_carry_what_it_says():
    for name in ("Silent", "Corrupt", "PortDenied", "Usage"):
        assert f"`{name}`" in PATH
    assert issubclass(errors.Silent, errors.AnswerError)
    assert issubclass(errors.Corrupt, errors.AnswerError)
    assert errors.PortDenied.state in model.STATES
    assert errors.Usage.exit_status == errors.USAGE


def test_style_in_ten_lines():
    assert re.findall(r"^(\d+)\. ", section("CONTRIBUTING.md", "Style"), re.MULTILINE) == list(
        map(str, range(1, 11))
    )


def test_the_changelog_has_this_version_or_what_is_to_be():
    releases = re.findall(r"^## \[(.+?)\]", text("CHANGELOG.md"), re.MULTILINE)
    assert releases[0] == "Unreleased"
    assert len(releases) == 1 or releases[1] == __version__
