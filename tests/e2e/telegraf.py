"""The pinned Telegraf, run on a configuration of the test."""

import os
import subprocess
from collections.abc import Mapping, Sequence

from tests.e2e.influxdb import InfluxDB
from tests.e2e.process import Process

AGENT = """\
[agent]
  interval = "1s"
  round_interval = false
  flush_interval = "1s"
  omit_hostname = true
  skip_processors_after_aggregators = true
"""


def exec_input(*commands: Sequence[str], timeout: str = "5s", options: str = "") -> str:
    """An [[inputs.exec]] for line protocol; each command is argv, in the array form of 1.39."""
    argvs = ", ".join("[" + ", ".join(map(toml_string, argv)) + "]" for argv in commands)
    return (
        "[[inputs.exec]]\n"
        '  alias = "pv"\n'
        f"  commands = [{argvs}]\n"
        f"  timeout = {toml_string(timeout)}\n"
        '  data_format = "influx"\n'
        f"{options}\n"
    )


def influxdb_output(influxdb: InfluxDB) -> str:
    """An [[outputs.influxdb]] (v1 API) into the test's own server."""
    return (
        "[[outputs.influxdb]]\n"
        '  alias = "remote"\n'
        f"  urls = [{toml_string(influxdb.url)}]\n"
        f"  database = {toml_string(influxdb.database)}\n"
        "  skip_database_creation = true\n"
    )


def toml_string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Telegraf:
    """A configuration in a directory of its own. `run` starts the agent; `once` and `test` are one-shot calls."""

    def __init__(
        self,
        telegraf: str,
        directory: str,
        config: str,
        *,
        drop_ins: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        os.makedirs(os.path.join(directory, "telegraf.d"), exist_ok=True)
        self.telegraf = telegraf
        self.directory = directory
        self.log_path = os.path.join(directory, "telegraf.log")
        self.env = {**os.environ, **(env or {})}
        self.config("telegraf.conf", config)
        for name, text in (drop_ins or {}).items():
            self.config(os.path.join("telegraf.d", name), text)

    def config(self, name: str, text: str) -> None:
        """Writes a configuration file: "telegraf.conf", "telegraf.d/pv.conf"."""
        with open(os.path.join(self.directory, name), "w") as file:
            file.write(text)

    @property
    def command(self) -> list[str]:
        main = os.path.join(self.directory, "telegraf.conf")
        return [
            self.telegraf,
            "--config",
            main,
            "--config-directory",
            os.path.join(self.directory, "telegraf.d"),
        ]

    def run(self) -> Process:
        """The agent, running; its log is the process's `log()`. The fixture ends it."""
        return Process(self.command, self.log_path, env=self.env)

    def once(self, *, within: float = 30.0) -> subprocess.CompletedProcess[str]:
        """--once: one gather, one write. Exit status 0 also when a command failed: look at stderr."""
        return self.call("--once", within=within)

    def test(self, *, within: float = 30.0) -> subprocess.CompletedProcess[str]:
        """--test: one gather; stdout is "> line" for each metric. Exit status as `once`."""
        return self.call("--test", within=within)

    def call(self, *options: str, within: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *options],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within,
            env=self.env,
            cwd="/",
        )
