"""What we hand to Telegraf, taken by a real one: the drop-in in both forms, the samples, and the folder's test cases."""

import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pv_exec import trace
from pv_exec.setup import metrics
from tests.e2e.telegraf import AGENT
from tests.player import Player

FOLDER = Path(__file__).parents[2] / "telegraf"
CASES = sorted(path.name for path in (FOLDER / "testcases").iterdir())
STAMP = re.compile(r" \d{10}000000000$")


@pytest.fixture
def drop_in(part: Callable[[str], str]):
    """drop_in(config, *options) -> what `pv-setup telegraf` prints for a configuration file."""

    def write(config: str | Path, *options: str) -> str:
        command = [part("pv-setup"), "telegraf", "--config", str(config), *options]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30, cwd="/")
        assert done.returncode == 0, done.stderr
        return done.stdout

    return write


def check(telegraf: str, *files: Path) -> subprocess.CompletedProcess[str]:
    """`telegraf config check`: the files parsed and every plugin initialised."""
    options = [option for file in files for option in ("--config", str(file))]
    return subprocess.run(
        [telegraf, "config", "check", *options], check=False, capture_output=True, text=True, timeout=30
    )


# --- the drop-in -------------------------------------------------------------------------------------------------------

PROGRAM = """\
#!/bin/sh
printf 'seen argv="%s" 1700000000000000000\\n' "$(printf '<%s>' "$@" | sed 's/["\\\\]/\\\\&/g')"
"""
"""A pv-read that says how it was called."""

NAMES = (
    "Dach Süd",
    "it's",
    'a "b" c',
    "a,b=c",
    "$HOME",
    "$$",
    "${HOME}",
    "100% #1",
    "[x]*?",
    "-v;&|",
    "日本",
)


def named(tmp_path: Path, name: str, interval: str = "5m") -> Path:
    """A configuration with this bus and another of another interval, so that the bus is named on the command line."""
    path = tmp_path / "config.toml"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    path.write_text(
        f'[[bus]]\nname = "{quoted}"\ndriver = "kaco"\nport = "tcp://192.0.2.1:1"\ninverters = [1]\ninterval = "{interval}"\n'
        '[[bus]]\nname = "other"\ndriver = "kaco"\nport = "tcp://192.0.2.1:2"\ninverters = [1]\n'
    )
    return path


@pytest.mark.parametrize("version", ["1.30.0", "1.39.3"])
@pytest.mark.parametrize("name", NAMES)
def test_telegraf_passes_every_name_on_as_it_is(telegraf, drop_in, tmp_path, name, version):
    program = tmp_path / "pv-read"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    config = named(tmp_path, name)
    agent = telegraf(
        AGENT, drop_ins={"pv.conf": drop_in(config, "--for", version, "--pv-read", str(program))}
    )
    done = agent.test()
    seen = [line for line in done.stdout.splitlines() if line.startswith("> seen ")]
    argv = ("--config", config, *((f"--bus={name}",) if name.startswith("-") else ("--bus", name)))
    expected = "".join(f"<{argument}>" for argument in argv).replace('"', '\\"')
    assert f'> seen argv="{expected}" 1700000000000000000' in seen, done.stderr
    assert len(seen) == 2


DIRECTORIES = ("with blank", "it's", "ümlaut", "$HOME", 'say "x"')


@pytest.mark.parametrize(
    ("name", "version"),
    [
        *((name, version) for name in DIRECTORIES for version in ("1.30.0", "1.39.3")),
        (
            "a[b]",
            "1.39.3",
        ),  # as a string only old versions take it, who find no program of that name with its quotes
    ],
)
def test_telegraf_finds_pv_read_whatever_its_directory_is_called(telegraf, drop_in, tmp_path, name, version):
    directory = tmp_path / name
    directory.mkdir()
    if name == "a[b]":
        (tmp_path / "ab").mkdir()  # what it would mean as a glob
        (tmp_path / "ab" / "pv-read").write_text("#!/bin/sh\necho wrong a=1\n")
        (tmp_path / "ab" / "pv-read").chmod(0o755)
    program = directory / "pv-read"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    config = named(tmp_path, "roof", "1m")
    agent = telegraf(
        AGENT, drop_ins={"pv.conf": drop_in(config, "--for", version, "--pv-read", str(program))}
    )
    done = agent.test()
    assert f'> seen argv="<--config><{config}>" 1700000000000000000\n' == done.stdout, done.stderr


def test_the_drop_in_is_for_the_telegraf_that_is_there(part, drop_in, telegraf, tmp_path):
    text = drop_in(named(tmp_path, "roof"), "--telegraf", part("telegraf"))
    assert text.startswith("## Written by `pv-setup telegraf` for Telegraf 1.39.3, from ")
    (tmp_path / "pv.conf").write_text(text)
    done = check(part("telegraf"), tmp_path / "pv.conf")
    assert done.returncode == 0, done.stderr
    assert "eprecat" not in done.stderr
    for one in tomllib.loads(text)["inputs"]["exec"]:
        assert one["commands"][0][0] == part("pv-read")


def test_the_form_of_old_versions_is_taken_with_a_word_about_its_end(part, drop_in, tmp_path):
    (tmp_path / "pv.conf").write_text(drop_in(named(tmp_path, "roof"), "--for", "1.30"))
    done = check(part("telegraf"), tmp_path / "pv.conf")
    assert done.returncode == 0, done.stderr
    assert "deprecated since version 1.39.0" in done.stderr


def test_a_complaint_of_pv_read_is_a_line_of_telegrafs_log(drop_in, telegraf, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text(
        f'[clock]\ntrust = "always"\n[[bus]]\nname = "roof"\ndriver = "kaco"\nport = "{tmp_path}/none"\ninverters = [1, 2]\n'
        f'[paths]\nstate = "{tmp_path}/state"\nruntime = "{tmp_path}/run"\n'
    )
    done = telegraf(AGENT, drop_ins={"pv.conf": drop_in(config, "--for", "1.39.3")}).test()
    (complaint,) = [line for line in done.stderr.splitlines() if "[inputs.exec::pv]" in line]
    said = f"E! [inputs.exec::pv] roof/1: port_missing: {tmp_path}/none is not there; plug the adapter in, "
    assert complaint.partition("Z ")[2].startswith(said)
    assert done.stdout.count('state="port_missing"') == 2


# --- the samples -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "version"), [("pv-exec.conf", "1.39"), ("pv-exec-1.38.conf", "1.38")])
def test_the_samples_are_what_the_command_prints(drop_in, name, version):
    text = drop_in(FOLDER / "sample.toml", "--for", version, "--pv-read", "/usr/bin/pv-read")
    assert (
        text.replace(str(FOLDER / "sample.toml"), "/etc/pv-exec/config.toml") == (FOLDER / name).read_text()
    )


def test_telegraf_takes_the_main_file_with_either_drop_in_and_either_output(part, tmp_path):
    main = (FOLDER / "telegraf.conf").read_text()
    one, two = main.index("[[outputs.influxdb]]"), main.index("# [[outputs.influxdb_v2]]")
    other = main[:one] + main[two:].replace("# ", "")
    commented = re.sub(r"^(\s*)# ((\w+ = )|\[\[|  \w+ =)", r"\1\2", main, flags=re.MULTILINE)
    assert set(tomllib.loads(main)["outputs"]) == {"influxdb"}
    assert set(tomllib.loads(other)["outputs"]) == {"influxdb_v2"}
    for text in (main, other, commented):
        (tmp_path / "telegraf.conf").write_text(text)
        for name in ("pv-exec.conf", "pv-exec-1.38.conf"):
            done = check(part("telegraf"), tmp_path / "telegraf.conf", FOLDER / name)
            assert done.returncode == 0, done.stderr
    assert set(tomllib.loads(commented)["outputs"]) == {"influxdb", "influxdb_v2"}
    assert tomllib.loads(main)["agent"]["round_interval"] is False


# --- the test cases ----------------------------------------------------------------------------------------------------


@contextmanager
def played(case: Path, directory: Path) -> Iterator[Path]:
    """The configuration of a case on a port that answers as its trace does."""
    with open(case / "trace.jsonl") as file:
        (run,) = trace.load(file)
    answers: dict[bytes, bytes] = {}
    question = b""
    for passed in run.passed:
        if passed.sent:
            question = passed.data
        answers[question] = answers.get(question, b"") + (b"" if passed.sent else passed.data)
    player = Player(answers)
    try:
        text = (case / "config.toml").read_text().replace("/dev/ttyUSB0", player.port)
        config = directory / "config.toml"
        config.write_text(f'{text}\n[paths]\nstate = "{directory}/state"\nruntime = "{directory}/run"\n')
        yield config
        assert set(player.heard) == set(answers)
    finally:
        player.close()


def plain(lines: str) -> list[str]:
    """Lines without what differs from run to run: stamps and durations."""
    return [re.sub(r"duration_s=[\d.]+", "duration_s=…", STAMP.sub("", line)) for line in lines.splitlines()]


@pytest.mark.parametrize("name", CASES)
def test_a_case_comes_out_of_telegraf_as_expected(drop_in, telegraf, tmp_path, name):
    with played(FOLDER / "testcases" / name, tmp_path) as config:
        done = telegraf(AGENT, drop_ins={"pv.conf": drop_in(config, "--for", "1.39.3")}).test()
    lines = [line.removeprefix("> ") for line in done.stdout.splitlines()]
    assert all(STAMP.search(line) for line in lines)
    assert plain("\n".join(lines)) == plain((FOLDER / "testcases" / name / "expected.out").read_text())


# --- the README --------------------------------------------------------------------------------------------------------

README = (FOLDER / "README.md").read_text()


def block(title: str) -> str:
    """The first fenced block behind a heading."""
    found = re.search(rf"^#+ {title}$.*?^```\w*\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def test_the_metrics_are_those_of_the_vocabulary():
    assert metrics.renewed(README) == README, "renew it: python -m pv_exec.setup.metrics telegraf/README.md"


def test_the_configuration_is_the_sample():
    assert block("Configuration") == (FOLDER / "pv-exec.conf").read_text()


def test_the_example_output_is_that_of_a_case():
    assert (
        block("Example Output") == (FOLDER / "testcases" / "kaco_6400xi_8000xi" / "expected.out").read_text()
    )


def test_every_measured_quantity_has_its_unit():
    without = {"ac_power_factor"}
    for line in metrics.render().splitlines():
        if found := re.match(r"    - (\w[\w#]*) \(float\)", line):
            assert found[1] in without
