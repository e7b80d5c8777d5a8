"""A real InfluxDB 1.x of the test's own: its directory, its ports, its data back with their types."""

import json
import os
import re
import signal
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, NamedTuple

from tests.e2e.process import Process, listens

CONFIG = """\
bind-address = "127.0.0.1:0"
[meta]
  dir = "{directory}/meta"
[data]
  dir = "{directory}/data"
  wal-dir = "{directory}/wal"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
"""

Value = float | int | str | bool


class Point(NamedTuple):
    measurement: str
    tags: dict[str, str]
    fields: dict[str, Value]  # with the type the server holds: 635.0 is a float, 635 an integer
    time: int  # ns


class Refused(Exception):
    """The server's answer to a write or query it did not take."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status
        self.text = text


class InfluxDB:
    """Started by `start`; `url` and `database` are what a client needs. `stop`, `kill` and `start` again keep port and data."""

    def __init__(self, influxd: str, directory: str, database: str = "pv-nodes") -> None:
        self.influxd = influxd
        self.directory = directory
        self.database = database
        self.port = 0
        self.process: Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when it answers (30 ms). The port is the kernel's choice, read from our own child's log."""
        os.makedirs(self.directory, exist_ok=True)
        config = os.path.join(self.directory, "influxdb.conf")
        with open(config, "w") as file:
            file.write(CONFIG.format(directory=self.directory, port=self.port))
        env = {key: value for key, value in os.environ.items() if not key.startswith("INFLUXDB_")}
        process = Process(
            [self.influxd, "-config", config], os.path.join(self.directory, "influxd.log"), env=env
        )
        self.process = process

        def heard() -> int:
            found = re.search(r"Listening on HTTP.*addr=127\.0\.0\.1:(\d+)", process.log())
            return int(found[1]) if found else 0

        self.port = process.wait_for(heard, "InfluxDB listens")
        process.wait_for(lambda: listens(process.pid, self.port), "the listener is our own")
        self.query(f'CREATE DATABASE "{self.database}"')

    def stop(self) -> None:
        if self.process is not None:
            self.process.end()
            self.process = None

    def kill(self) -> None:
        """As a power cut of the server; what it acknowledged must be there after `start`."""
        if self.process is not None:
            self.process.signal(signal.SIGKILL)
            self.process.kill()
            self.process = None

    def ask(self, path: str, parameters: dict[str, str], data: bytes | None = None) -> bytes:
        url = f"{self.url}{path}?{urllib.parse.urlencode(parameters)}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(urllib.request.Request(url, data), timeout=10) as answer:
                body: bytes = answer.read()
                return body
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.code, error.read().decode(errors="replace")) from None

    def write(self, lines: str, *, precision: str = "ns") -> None:
        """Line protocol into the database; Refused when not every line was taken."""
        self.ask("/write", {"db": self.database, "precision": precision}, lines.encode())

    def series(self, query: str) -> list[dict[str, Any]]:
        """The raw series of one InfluxQL statement: dicts with name, tags, columns, values; times in ns. Refused on an error."""
        body = self.ask("/query", {"db": self.database, "epoch": "ns", "q": query}, b"")
        result = json.loads(body)["results"][0]
        if "error" in result:
            raise Refused(200, result["error"])
        found: list[dict[str, Any]] = result.get("series", [])
        return found

    def query(self, query: str) -> list[dict[str, Any]]:
        """Rows as dicts: columns, and the tags of GROUP BY. JSON writes a float 635.0 as 635: `points` knows the types."""
        return [
            series.get("tags", {}) | dict(zip(series["columns"], values, strict=True))
            for series in self.series(query)
            for values in series["values"]
        ]

    def types(self, measurement: str) -> dict[str, str]:
        """Field -> "float" | "integer" | "string" | "boolean", as the server holds it."""
        rows = self.query(f'SHOW FIELD KEYS FROM "{measurement}"')
        types = {row["fieldKey"]: row["fieldType"] for row in rows}
        assert len(types) == len(rows), f"a field of {measurement} has two types: {rows}"
        return types

    def points(self, measurement: str, where: str = "") -> list[Point]:
        """Every point of a measurement, absent fields absent, by series (tags) and then time."""
        condition = f" WHERE {where}" if where else ""
        all_series = self.series(f'SELECT * FROM "{measurement}"{condition} GROUP BY *')
        types = self.types(
            measurement
        )  # after the values: a field that a writer adds meanwhile must not lack its type
        found = []
        for series in all_series:
            tags = {key: value for key, value in series.get("tags", {}).items() if value}
            for values in series["values"]:
                row = dict(zip(series["columns"], values, strict=True))
                time = row.pop("time")
                fields = {
                    name: float(value) if types[name] == "float" else value
                    for name, value in row.items()
                    if value is not None
                }
                found.append(Point(series["name"], tags, fields, time))
        return found
