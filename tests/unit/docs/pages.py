"""What the documents say, taken apart: commands, TOML, options, lists; and the parsers of our commands to hold them to."""

import argparse
import os
import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple
from unittest import mock

from pv_exec.cli import read, setup, sim
from pv_exec.cli.parser import Parser

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
MAN = os.path.join(ROOT, "packaging", "man")


def text(path: str) -> str:
    """A file of the tree, by its path from the root."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


MARKDOWN = [
    path
    for path in ("README.md", "CONTRIBUTING.md", "telegraf/README.md")
    if os.path.exists(os.path.join(ROOT, path))
]
PAGES = [f"packaging/man/{name}" for name in sorted(os.listdir(MAN))]


# --- our commands ------------------------------------------------------------------------------------------------------


def _of_read() -> argparse.ArgumentParser:
    """pv-read makes its parser where it uses it."""

    def caught(parser: argparse.ArgumentParser, *_: object) -> None:
        found.append(parser)

    found: list[argparse.ArgumentParser] = []
    with mock.patch.object(Parser, "parse_args", caught):
        read._arguments([])
    return found[0]


PARSERS = {"pv-read": _of_read(), "pv-setup": setup._parser(), "pv-sim": sim._parser()}


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    return next(
        (dict(a.choices) for a in parser._actions if isinstance(a, argparse._SubParsersAction)),
        {},
    )


COMMANDS = {
    **PARSERS,
    **{f"{name} {sub}": of for name, one in PARSERS.items() for sub, of in subcommands(one).items()},
}
"""`pv-setup check` → its parser."""


def actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """What a person may give: no help, no subcommand, nothing that is kept quiet."""
    return [
        action
        for action in parser._actions
        if not isinstance(action, argparse._HelpAction | argparse._SubParsersAction)
        and action.help != argparse.SUPPRESS
    ]


# --- Markdown ----------------------------------------------------------------------------------------------------------


class Block(NamedTuple):
    """A block of text to be typed or written into a file."""

    where: str
    kind: str
    text: str


def fenced(path: str) -> Iterator[Block]:
    """The blocks of a Markdown file, by their language."""
    source = text(path)
    for found in re.finditer(r"^( *)```(\w*)\n(.*?)^\1```$", source, re.MULTILINE | re.DOTALL):
        line = source.count("\n", 0, found.start()) + 1
        body = "".join(one.removeprefix(found[1]) for one in found[3].splitlines(keepends=True))
        yield Block(f"{path}:{line}", found[2], body)


def spans(path: str) -> list[str]:
    """What stands in backquotes within a sentence."""
    prose = re.sub(r"^( *)```.*?^\1```$", "", text(path), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(found.split()) for found in re.findall(r"`([^`]+)`", prose)]


def section(path: str, heading: str) -> str:
    """A section of a Markdown file, without its heading, of which the beginning is enough, in any case."""
    found = re.search(rf"(?im)^## {heading}.*\n((?:(?!## ).*\n)*)", text(path))
    assert found, f"{path} has no section {heading}"
    return found[1]


# --- manual pages ------------------------------------------------------------------------------------------------------


def plain(troff: str) -> str:
    """Text as it comes out."""
    for written, sign in (
        ("\\-", "-"),
        ("\\(dq", '"'),
        ("\\(aq", "'"),
        ("\\(ti", "~"),
        ("\\(ha", "^"),
        ("\\e", "\\"),
    ):
        troff = troff.replace(written, sign)
    return troff


def displayed(path: str) -> Iterator[Block]:
    r"""The examples of a page, each after a line `.\" run: KIND`."""
    source = text(path)
    for found in re.finditer(
        r'^\.\\" run: (\w+)\n\.Bd -literal.*\n((?:(?!\.Ed).*\n)*)', source, re.MULTILINE
    ):
        yield Block(f"{path}:{source.count(chr(10), 0, found.start()) + 1}", found[1], plain(found[2]))


def quoted(path: str) -> list[str]:
    """What stands in quotes for being typed, within a sentence."""
    return [plain(found) for found in re.findall(r"^\.Ql (\S.*?)(?: [.,;:])?$", text(path), re.MULTILINE)]


def flags(troff: str) -> set[str]:
    """Every option named: `.Fl -config` is --config."""
    return {f"-{found}" for found in re.findall(r"\bFl (-?[a-z][a-z-]*)", plain(troff))}


def chapter(page: str, kind: str, title: str) -> str:
    """A section (Sh) or subsection (Ss) of a page's source, to the next of its kind or above."""
    ends = r"\.Sh " if kind == "Sh" else r"\.S[hs] "
    found = re.search(rf"^\.{kind} {re.escape(title)}\n(.*?)(?=^{ends}|\Z)", page, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def items(troff: str) -> list[str]:
    """The heads of the entries of its lists."""
    return [plain(found) for found in re.findall(r"^\.It (.*)$", troff, re.MULTILINE)]


# --- commands in a text ------------------------------------------------------------------------------------------------


def calls(line: str) -> Iterator[list[str]]:
    """The simple commands of a line of shell, without sudo and variables; what follows `--` of pv-sim is one of its own."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    call: list[str] = []
    for token in [*lexer, ";"]:
        if set(token) - set("|&;<>()"):
            call.append(token)
            continue
        while call and (call[0] == "sudo" or re.match(r"\w+=", call[0])):
            call = call[1:]
        if call:
            yield [os.path.basename(call[0]), *call[1:]]
            if call[0].endswith("pv-sim") and "--" in call:
                yield [os.path.basename(one) for one in call[call.index("--") + 1 :]]
        call = []


def parse(call: list[str]) -> argparse.Namespace:
    """Parse a call of one of our commands, and run nothing."""
    arguments = call[1:]
    if call[0] == "pv-sim" and "--" in arguments:
        arguments = arguments[: arguments.index("--")]
    return PARSERS[call[0]].parse_args(arguments)
