"""What --help says of every command, as files to be read in review: `python -m tests.unit.docs.test_help` renews them."""

import os
import re

import pytest

from tests.unit.docs.pages import COMMANDS

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "help")
WIDTH = "100"


def path(command: str) -> str:
    return os.path.join(HERE, command.replace(" ", "-") + ".txt")


def words(text: str) -> str:
    """The text without what differs between versions of argparse: its breaks, and (before 3.13) `-c FILE, --config FILE`."""
    return re.sub(r"(-\w) ([A-Z]+), (--[\w-]+) \2", r"\1, \3 \2", " ".join(text.split()))


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", WIDTH)
    monkeypatch.setenv("NO_COLOR", "1")
    with open(path(command), encoding="utf-8") as file:
        assert words(COMMANDS[command].format_help()) == words(file.read())


def test_there_is_a_file_for_every_command_and_no_other():
    assert {os.path.join(HERE, name) for name in os.listdir(HERE)} == {path(command) for command in COMMANDS}


if __name__ == "__main__":
    os.environ["COLUMNS"] = WIDTH
    for name, parser in COMMANDS.items():
        with open(path(name), "w", encoding="utf-8") as out:
            out.write(parser.format_help())
