"""The lines as JSON, one object a line: for scripts that want neither line protocol nor a table."""

import json

from pv_exec.model import Line


def render(lines: list[Line]) -> str:
    """One JSON object for each line: measurement, tags, fields, time (Unix s), clock_trusted."""
    return "".join(json.dumps(_plain(line), ensure_ascii=False) + "\n" for line in lines)


def _plain(line: Line) -> dict[str, object]:
    return {
        "measurement": line.measurement,
        "tags": dict(sorted(line.tags.items())),
        "fields": dict(line.fields),
        "time": line.stamp.seconds,
        "clock_trusted": line.stamp.trusted,
    }
