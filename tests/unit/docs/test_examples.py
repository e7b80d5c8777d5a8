"""Every command and every configuration that a document shows is one."""

import re
import tomllib

import pytest

from pv_exec import config
from pv_exec.cli import setup
from pv_exec.run import plan
from tests.unit.docs.pages import (
    MARKDOWN,
    PAGES,
    PARSERS,
    Block,
    calls,
    displayed,
    fenced,
    parse,
    quoted,
    spans,
    text,
)

BLOCKS = [
    *(block for path in MARKDOWN for block in fenced(path)),
    *(b for path in PAGES for b in displayed(path)),
]
SHELL = [
    (block.where, line)
    for block in BLOCKS
    if block.kind == "sh"
    for line in block.text.splitlines()
    if line.strip()
]
SPANS = [
    *((path, span) for path in MARKDOWN for span in spans(path)),
    *((path, span) for path in PAGES for span in quoted(path)),
]
TARGETS = set(re.findall(r"^([\w./]+):", text("Makefile"), re.MULTILINE))


def ours(line: str) -> list[list[str]]:
    return [call for call in calls(line) if call[0] in PARSERS]


COMMANDS = [(where, line) for where, line in SHELL if ours(line)]
COMMANDS += [
    (where, span)
    for where, span in SPANS
    if re.match(r"(sudo )?pv-(read|setup|sim) ", span) and "…" not in span and ours(span)
]


def test_there_are_some():
    assert len(COMMANDS) > 20


@pytest.mark.parametrize(("where", "line"), COMMANDS)
def test_a_command_is_one(where, line):
    for call in ours(line):
        parse(call)


@pytest.mark.parametrize(
    ("where", "target"),
    [
        (where, target)
        for where, line in SHELL
        for call in calls(line)
        if call[0] == "make"
        for target in re.findall(r"(?<!-C) (?!-)(?!/)(\S+)", " ".join(call))
    ]
    + [(where, span.split()[1]) for where, span in SPANS if re.fullmatch(r"make [\w./]+", span)],
)
def test_a_target_of_make_is_one(where, target):
    assert target in TARGETS


TOML = [block for block in BLOCKS if block.kind == "toml"]


def is_ours(table: dict[str, object]) -> bool:
    return bool(set(table) & {*config.TABLES, "bus"})


@pytest.mark.parametrize("block", TOML, ids=lambda block: block.where)
def test_toml_is_toml_and_a_configuration_is_planned_without_a_fault(block: Block):
    table = tomllib.loads(block.text)
    if not is_ours(table):
        assert set(table) <= {"agent", "inputs", "outputs", "processors", "global_tags"}  # Telegraf's
        return
    _, faults = plan.make(config.parse(table, "config.toml", block.text))
    if "bus" not in table:  # a fragment shows other tables than buses
        faults = tuple(fault for fault in faults if fault.path != ("bus",))
    assert [str(fault) for fault in faults] == []


def test_the_first_configuration_of_the_readme_passes_the_check(tmp_path, capsys):
    first = next(block for block in fenced("README.md") if block.kind == "toml")
    file = tmp_path / "config.toml"
    file.write_text(first.text, encoding="utf-8")
    assert setup.main(["check", "--config", str(file)]) == 0
    assert tomllib.loads(capsys.readouterr().out)["site"]["name"] == "pv_strass"


def test_the_examples_that_cost_nothing_are_run(capsys):
    assert setup.main(["sample"]) == 0
    assert capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        setup.main(["--version"])
    assert ended.value.code == 0
