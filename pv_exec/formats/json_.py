"""The lines as JSON, one object a line: for scripts that want neither line protocol nor a table."""

import json
import math

from pv_exec.model import Line
from pv_exec.quantities import Value


def render(lines: list[Line]) -> str:
    """One JSON object for each line: measurement, tags, fields, time (Unix s), clock_trusted."""
    return "".join(json.dumps(_plain(line), ensure_ascii=False) + "\n" for line in lines)


def _plain(line: Line) -> dict[str, object]:
    return {
        "measurement": line.measurement,
        "tags": dict(sorted(line.tags.items())),
        "fields": {key: value for key, value in line.fields.items() if not _is_no_number(value)},
        "time": line.stamp.seconds,
        "clock_trusted": line.stamp.trusted,
    }


def _is_no_number(value: Value) -> bool:
    """NaN and the infinite, which JSON cannot say."""
    return isinstance(value, float) and not math.isfinite(value)
