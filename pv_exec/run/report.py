"""From what became of a run to the lines that say it. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from pv_exec.model import STATES, Line, Outcome, Stamp
from pv_exec.quantities import Value
from pv_exec.run import dusk
from pv_exec.run.parent import Reading
from pv_exec.run.plan import Plan


class Now(NamedTuple):
    """The clocks at the moment of printing: an outcome's boottime becomes wall time by their difference."""

    wall: float
    boottime: float
    boot_id: str
    elevation: float | None = None


def settle(reading: Reading, now: Now) -> Reading:
    """Tell asleep from silent by the height of the sun, for every outcome of the run."""
    outcomes = {
        bus: {name: dusk.settled(outcome, now.elevation) for name, outcome in of.items()}
        for bus, of in reading.outcomes.items()
    }
    return reading._replace(outcomes=outcomes)


def lines(plan: Plan, reading: Reading, now: Now, spool: str) -> list[Line]:
    """A pv_inverter line for each inverter with values, a pv_read line for every one, a pv_event line per event.

    Stamps are whole seconds, one per inverter. Lines of an untrusted clock go out under other names with the boot as a
    tag, so that a wrong time never overwrites a right one (DESIGN 5.5).
    """
    found: list[Line] = []
    drivers = {bus.name: bus.driver for bus in plan.buses}

    def line(measurement: str, tags: Mapping[str, str], fields: Mapping[str, Value], stamp: Stamp) -> Line:
        if not reading.trusted:
            measurement, tags = f"{measurement}_unsynced", {**tags, "boot": now.boot_id[:8]}
        return Line(measurement, tags, {**fields, "seq": reading.seq}, stamp)

    for bus, of in reading.outcomes.items():
        for name, outcome in of.items():
            tags = {**plan.site.tags, "bus": bus, "driver": drivers[bus], "inverter": name}
            stamp = _stamp(outcome.at, reading, now)
            if outcome.values:
                found.append(line("pv_inverter", tags, outcome.values, stamp))
            last_ok = now.boottime if outcome.state == "ok" else reading.last_ok.get(bus, {}).get(name)
            found.append(
                line("pv_read", tags, _health(outcome, reading, now.boottime, last_ok, spool), stamp)
            )
    for bus, event in reading.events:
        tags = {**plan.site.tags, "bus": bus, "driver": drivers[bus], "inverter": event.inverter}
        found.append(
            line("pv_event", tags, {"kind": event.kind, "text": event.text}, _stamp(0.0, reading, now))
        )
    return found


def _stamp(at: float, reading: Reading, now: Now) -> Stamp:
    """Whole seconds of the moment `at` (boottime); of now where an inverter never came to its turn."""
    return Stamp(int(now.wall - (now.boottime - at if at else 0.0)), reading.trusted)


def _health(
    outcome: Outcome, reading: Reading, boottime: float, last_ok: float | None, spool: str
) -> dict[str, Value]:
    fields: dict[str, Value] = {
        "ok": outcome.state == "ok",
        "state": outcome.state,
        "state_code": STATES[outcome.state],
        "duration_s": round(outcome.duration, 3),
        "attempts": outcome.attempts,
        "spool": spool,
        "clock_trusted": reading.trusted,
    }
    if last_ok is not None:
        fields["last_ok_age_s"] = round(max(boottime - last_ok, 0.0), 1)
    if outcome.dropped:
        fields["dropped"] = "; ".join(outcome.dropped)
    if outcome.error:
        fields["error"] = outcome.error
    return fields
