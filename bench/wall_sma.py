"""How long a run over Sunny Boys lasts against what its wire takes, for 1, 3 and 10 inverters on a pty at 1200 baud."""

import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from bench._plant import env
from bench._table import show, verdict
from pv_exec.box.paths import ensure, write_kept
from pv_exec.sim import plant as stations
from pv_exec.sim.rehearsal import Rehearsal, bus_plan
from tests.e2e.process import Process
from tests.plant import NOON, Plant, script

AT = 1782039600.0
"""NOON, as Unix seconds."""

RUNS = {1: 5, 3: 4, 10: 3}
"""Inverters → runs."""

FIRST, EACH = 1.16, 0.95
"""Seconds of the wire: SYN_ONLINE and the pause, and each inverter's question and answer (the sheet's section 10)."""

RATIO, RATIO_FROM = 1.05, 3
"""How many times its wire's time a run may last, from so many inverters on (issue 4)."""


def measured(count: int, runs: int) -> list[float]:
    """Seconds from the start of pv-read to the end of its stdout, after one run that warms the caches."""
    serials = [2000123456 + 1111 * number for number in range(count)]
    spec = ",".join(f"{serial}:WR20-004:delay=0.03" for serial in serials)
    with tempfile.TemporaryDirectory() as directory:
        plant = Plant(Path(directory))
        plant.configure()
        config = Path(plant.config)
        text = (
            config.read_text().replace('driver = "kaco"', 'driver = "sma_rs485"').replace('gap = "50ms"', "")
        )
        config.write_text(text.replace("inverters = [1, 2, 3]", f"inverters = {serials}"))
        ensure(f"{directory}/state")
        rehearsal = Rehearsal(
            bus_plan("sma_rs485", serials), stations.build("sma_rs485", spec, at=AT), wall=AT
        )
        for keep in rehearsal.learn().keeps:
            if keep.durable:
                write_kept(f"{directory}/state", "roof", keep.name, keep.data, durable=False)
        command = [
            script("pv-sim"),
            "serve",
            "sma_rs485",
            "--pty",
            plant.port,
            "--inverters",
            spec,
            "--at",
            NOON,
        ]
        simulator = Process(command, f"{directory}/sim.log")
        simulator.wait_log(plant.port)
        try:
            return [timed(plant, count) for _ in range(runs + 1)][1:]
        finally:
            simulator.end()


def timed(plant: Plant, count: int) -> float:
    began = time.monotonic()
    done = subprocess.run(plant.command(), capture_output=True, check=True, env=env(), cwd="/")
    spent = time.monotonic() - began
    if done.stdout.count(b'state="ok"') != count:
        raise RuntimeError(f"not every inverter was read: {done.stdout.decode()}")
    return spent


def row(count: int, walls: list[float]) -> tuple[str, ...]:
    floor = FIRST + EACH * count
    ratio = median(walls) / floor
    return (
        str(count),
        str(len(walls)),
        f"{floor:.2f}",
        f"{median(walls):.3f}",
        f"{ratio:.3f}",
        f"{(median(walls) - floor) * 1000:.0f}",
        verdict(ratio <= RATIO) if count >= RATIO_FROM else "–",
    )


def main() -> None:
    show(
        "A run's wall time against its wire, Sunny Boys",
        "Start of the process to the end of its stdout, on a pty at 1200 baud, WR20-004, answers after 30 ms (as the formula has it), learned\n"
        f"before. Floor: {FIRST} + {EACH} N s. Medians. Goal: {RATIO} × floor from {RATIO_FROM} inverters on.",
        ("inverters", "runs", "floor s", "run s", "run/floor", "over ms", "goal"),
        [row(count, measured(count, runs)) for count, runs in RUNS.items()],
    )


if __name__ == "__main__":
    main()
