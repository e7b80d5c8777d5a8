"""The README promises nothing that is not there, and names nothing that is none."""

import os
import re

import pytest

from pv_exec import config, drivers
from pv_exec.box import errors
from pv_exec.model import STATES
from pv_exec.quantities import MEASUREMENTS, find
from tests.unit.docs.pages import MARKDOWN, ROOT, fenced, section, spans, text

NOT_YET = {4: "pv_exec/spool", 5: "pv_exec/spool", 9: "watchdog_sidecar"}
"""Promise → what has to be there before it may be given."""


def promises() -> dict[int, str]:
    found = re.findall(
        r"^(\d)\. (.*?)(?=^\d\. |\Z)", section("README.md", "What it promises"), re.MULTILINE | re.DOTALL
    )
    return {int(number): " ".join(said.split()) for number, said in found}


def test_all_nine_promises_in_their_order():
    assert list(promises()) == list(range(1, 10))


@pytest.mark.parametrize("number", range(1, 10))
def test_a_promise_says_not_yet_as_long_as_there_is_nothing_behind_it(number):
    built = number not in NOT_YET or os.path.isdir(os.path.join(ROOT, NOT_YET[number]))
    assert ("not yet" in promises()[number].lower()) is not built


def rows(heading: str) -> list[list[str]]:
    table = re.findall(r"^\|(.*)\|$", section("README.md", heading), re.MULTILINE)
    return [[cell.strip().strip("`") for cell in row.split("|")] for row in table]


def test_every_state_with_its_code():
    listed = {row[1]: int(row[0]) for row in rows("What a run prints") if row[0].isdecimal()}
    assert listed == STATES


def test_every_exit_status():
    statuses = {value for name, value in vars(errors).items() if name.isupper() and isinstance(value, int)}
    assert {int(row[0]) for row in rows("When something is wrong") if row[0].isdecimal()} == {0} | statuses


def test_it_begins_with_what_a_newcomer_types_and_goes_on_to_the_real_thing():
    headings = re.findall(r"^## (.*)$", text("README.md"), re.MULTILINE)
    assert headings[:3] == ["Quick start", "The real thing", "What it promises"]
    first = next(fenced("README.md"))
    assert re.findall(r"^make (\w+)", first.text, re.MULTILINE) == ["demo", "test"]


@pytest.mark.parametrize("name", drivers.DRIVERS)
def test_every_family_has_a_section_with_a_configuration(name):
    said = section("README.md", name.split("_")[0])
    assert f'driver = "{name}"' in said


@pytest.mark.parametrize("path", MARKDOWN)
def test_every_link_into_the_tree_leads_somewhere(path):
    source = text(path)
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", source)
    links += re.findall(r"^\[[^\]]+\]: ([^:\s]+)$", source, re.MULTILINE)
    here = os.path.dirname(os.path.join(ROOT, path))
    for link in links:
        assert os.path.exists(os.path.join(here, link)), link
    headings = {
        re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-")
        for h in re.findall(r"^#+ (.*)$", source, re.MULTILINE)
    }
    for anchor in re.findall(r"\]\(#([^)]+)\)", source):
        assert anchor in headings


@pytest.mark.parametrize("path", MARKDOWN)
def test_every_file_named_is_there(path):
    for span in spans(path):
        for word in span.split():
            if re.fullmatch(r"(pv_exec|packaging|tests|tools|bench|telegraf)/[\w./-]+", word):
                assert os.path.exists(os.path.join(ROOT, word)), word


KEYS = {
    key
    for schema in (
        *config.TABLES.values(),
        config.BusKeys,
        *(part for name in drivers.DRIVERS for part in (drivers.load(name).Options, drivers.load(name).Unit)),
    )
    for key in schema.__annotations__
}


@pytest.mark.parametrize("path", MARKDOWN)
def test_every_field_named_is_in_the_vocabulary(path):
    for span in spans(path):
        if re.fullmatch(r"[a-z]\w+_(w|wh|v|a|va|var|hz|h|c|s|ohm|percent|code)", span):
            assert span in KEYS or any(find(measurement, span) for measurement in MEASUREMENTS), span
