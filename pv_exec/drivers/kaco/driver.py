"""Kaco inverters on RS485: every inverter is asked in turn on one line, at least a second from question to question."""

from typing import Annotated, Literal, NamedTuple

from pv_exec.box.errors import AddressConflict, AnswerError
from pv_exec.box.settings import Duration, Range, Text
from pv_exec.conversation import Conversation, Listen, OutOfTime, Query, Report, Wire, ask, turn
from pv_exec.drivers.kaco import codec, totals
from pv_exec.drivers.kaco.memory import Memory
from pv_exec.drivers.kaco.messages import Generic, Measured, Totals, Trio
from pv_exec.drivers.kaco.status import status_text
from pv_exec.drivers.kaco.types import rated_power
from pv_exec.model import Bus, Inverter, Outcome
from pv_exec.quantities import Value

SCHEMES: tuple[str, ...] = ("serial", "tcp")
SHORT = "address"

ANSWER_TAKES = 0.43 + 0.16
"""Seconds from a question to the end of its answer at the worst: 427 ms to the first byte (CAP), 150 bytes at 9600 baud."""

WITHIN, WITHIN_BRIDGED, WITHIN_DARK = 1.0, 2.5, 0.5
"""Seconds to wait for the beginning of an answer: 2.3 × the worst seen (CAP, 427 ms); KSER's through a bridge; for a probe at night."""

IDLE, IDLE_BRIDGED = 0.15, 0.4
"""Seconds without a byte that end an answer: gaps inside a frame reach 73 ms (CAP), behind a bridge they come in bursts."""

SECOND_ANSWER = 0.3
"""Seconds in which another device on the same address would have begun to answer as well (its delay less ours)."""

STRAY_AT_MOST = 1.0
"""Seconds to listen to a line that does not fall silent; the gap passes meanwhile."""

UNRATED = 350e3
"""W: the largest type of the list, for an inverter whose type is not known."""

SLACK = 50
"""Wh that today's energy may have grown between commands 0 and 3, at the least: some count in steps."""

Total = Literal["auto", "Wh", "0.1 kWh", "kWh"]


class Options(NamedTuple):
    """What a Kaco bus can be told."""

    totals: Annotated[
        Literal["in turn", "always", "never"],
        Text(
            "When the yields and hours (command 3) are asked, which costs a second an inverter: of one inverter a run, in "
            "turn; of every inverter in every run; never. `energy_total_wh` is only in runs that asked for it."
        ),
    ] = "in turn"
    gap: Annotated[
        Duration,
        Text(
            "From one question to the next on this bus, at the least. Less than a second has silenced inverters altogether."
        ),
        Range(0.05, 60),
    ] = 1.0
    reply_timeout: Annotated[
        Duration | None,
        Text("How long an answer may take to begin; without it 1s, and 2.5s through a bridge (tcp://).", 1.5),
        Range(0.1, 30),
    ] = None


class Unit(NamedTuple):
    """What a Kaco inverter can be told."""

    address: Annotated[int, Text("Its address on the bus, as set in its own menu."), Range(1, 32)]
    total_unit: Annotated[
        Total,
        Text(
            "What one count of its total is; nothing on the wire tells. auto: Wh for the generic protocol, kWh where command 3 "
            "answers without a header, else learned over some sunny hours from today's energy."
        ),
    ] = "auto"
    sub_inverters: Annotated[
        Literal[1, 3],
        Text(
            "3 for a 25000xi to 33000xi, which takes four questions: only for reckoning how long a read takes."
        ),
    ] = 1
    rated_power_w: Annotated[
        float | None,
        Text("The most it can feed; without it the type tells. Bounds what is believed.", 8000.0),
        Range(100, 1e6),
    ] = None


def wire(bus: Bus) -> Wire:
    """9600 8N1, no flow control; a read takes a gap between two questions, and the last answer.

    With a gap of less than 0.9 s an answer and the wait for a second one take longer than the gap.
    A 000xi answers for three sub-inverters and takes four questions; `sub_inverters` tells, as its address does not.
    Sources: AN, K485, KSER, ETH, WIO, HAN.
    """
    options: Options = bus.options
    plain = sum(inverter.unit.sub_inverters == 1 for inverter in bus.inverters)
    asked = plain + 4 * (len(bus.inverters) - plain)
    asked += {"in turn": min(plain, 1), "always": plain, "never": 0}[options.totals]
    each = max(options.gap, ANSWER_TAKES + SECOND_ANSWER)
    return Wire(9600, gap=options.gap, takes=(asked - 1) * each + ANSWER_TAKES)


def read(bus: Bus) -> Conversation[None]:
    """Ask every inverter for its measured values, and for its totals as `totals` says."""
    memory = Memory(bus.kept)
    whose = _asked_for_totals(bus, memory)
    for place, inverter in enumerate(bus.inverters):
        rest = len(bus.inverters) - place - 1
        outcome = yield from turn(
            inverter, _measure(bus, inverter, memory, totals_too=inverter.name in whose, rest=rest)
        )
        yield Report(outcome)
        asked_on = (
            inverter.name in whose
        )  # then the rest on the line was listened to before the second question
        if outcome.state == "ok" and rest and not asked_on and (yield from _another_answers(inverter)):
            yield Report(outcome._replace(state="address_conflict", values={}, error=_clash(inverter)))
    yield from memory.keeps(bus.kept)


def _asked_for_totals(bus: Bus, memory: Memory) -> tuple[str, ...]:
    """The inverters whose totals are asked in this run: in turn, one after the other, whatever becomes of it."""
    options: Options = bus.options
    names = tuple(inverter.name for inverter in bus.inverters)
    if options.totals == "always":
        return names
    if options.totals == "never" or not names:
        return ()
    after = names.index(memory.turn) + 1 if memory.turn in names else 0
    memory.turn = names[after % len(names)]
    return (memory.turn,)


def _another_answers(inverter: Inverter) -> Conversation[bool]:
    """Whether a second device answers the question just answered: the bus must rest before the next one in any case.

    3 is the last question to a 000xi; where it asks for totals this is not called, as late answers to 0 may come then. Two inverters on one address answer one after the other (CAP 175321), each after its own 42 to 427 ms.
    """
    unit: Unit = inverter.unit
    stray = b""
    ends: float | None = None
    try:
        while True:
            heard = yield Listen(SECOND_ANSWER)
            stray += heard.data
            ends = heard.left - STRAY_AT_MOST if ends is None else ends
            if not heard.data or heard.left <= ends:
                break
    except OutOfTime:
        pass
    return any(b"\n*%02d%c" % (unit.address, command) in stray for command in b"04n3")


def _clash(inverter: Inverter) -> str:
    unit: Unit = inverter.unit
    return f"two devices answer to address {unit.address}: give one of them another in its own menu"


def _within(bus: Bus) -> float:
    options: Options = bus.options
    return options.reply_timeout or (WITHIN_BRIDGED if bus.bridged else WITHIN)


def _idle(bus: Bus) -> float:
    return IDLE_BRIDGED if bus.bridged else IDLE


def _measure(
    bus: Bus, inverter: Inverter, memory: Memory, *, totals_too: bool, rest: int
) -> Conversation[Outcome]:
    unit: Unit = inverter.unit
    within = _within(bus) if inverter.expected else min(WITHIN_DARK, _within(bus))
    question: Query[Measured | Generic | Trio] = codec.Live(unit.address)
    live = yield from ask(question, within=within, idle=_idle(bus))
    if isinstance(live, Trio):
        values, rated = yield from _trio(bus, unit)
        return Outcome(inverter.name, "ok", values, rated_power=rated)
    values = _standard(live) if isinstance(live, Measured) else _generic(live)
    if isinstance(live, Measured) and live.type and memory.type_is_likely(inverter.name, live.type):
        values["model"] = live.type
    rated = unit.rated_power_w or rated_power(live.type or "") or UNRATED
    dropped: tuple[str, ...] = ()
    if isinstance(live, Measured) and live.family == "xp":
        more, why = _weighed(bus, inverter, live, _behind_the_sum(live), memory, rated, bus.boottime)
        values |= more
        dropped = (f"energy_total_wh: {why}",) if why else ()
    elif totals_too and live.energy_today is not None:
        if (yield from _another_answers(inverter)):
            raise AddressConflict(_clash(inverter))
        more, why = yield from _totals(bus, inverter, live, memory, rated, rest)
        values |= more
        dropped = (f"energy_total_wh: {why}",) if why else ()
    return Outcome(inverter.name, "ok", values, dropped=dropped, rated_power=rated)


def _trio(bus: Bus, unit: Unit) -> Conversation[tuple[dict[str, Value], float]]:
    """A 000xi: three inverters behind one address, each on a phase of its own; the whole is their sum. Sources: AN, WIO."""
    subs: list[Measured] = []
    try:
        for n in (1, 2, 3):
            sub: Measured = yield from ask(codec.Sub(unit.address, n), within=_within(bus), idle=_idle(bus))
            subs.append(sub)
    except OutOfTime:
        if unit.sub_inverters == 3:
            raise
        raise ShortOfTime(
            "it is a 000xi, which takes four questions, and the time for this bus was used up",
            'set sub_inverters = 3 for it, so that deadline = "auto" has room for them',
        ) from None
    values: dict[str, Value] = {}
    for n, sub in enumerate(subs, 1):
        values |= {
            f"dc{n}_voltage_v": sub.u_dc,
            f"dc{n}_current_a": sub.i_dc,
            f"dc{n}_power_w": float(sub.p_dc),
            f"ac_l{n}_voltage_v": sub.u_ac,
            f"ac_l{n}_current_a": sub.i_ac,
            f"ac_l{n}_power_w": float(sub.p_ac),
        }
    values |= {
        "dc_power_w": float(sum(sub.p_dc for sub in subs)),
        "ac_power_w": float(sum(sub.p_ac for sub in subs)),
        "energy_today_wh": float(sum(sub.energy_today for sub in subs)),
        "temperature_c": float(max(sub.temperature for sub in subs)),
    }
    odd = next((sub.status for sub in subs if sub.status not in FEEDING), subs[0].status)
    values |= _status(odd)
    kinds = {sub.type[:-1] for sub in subs if sub.type}
    rated = sum(rated_power(sub.type or "") or UNRATED for sub in subs)
    if len(kinds) == 1:
        values["model"] = f"3x{kinds.pop()}"
    return values, unit.rated_power_w or rated


class ShortOfTime(AnswerError):
    """The time of the bus is too short for what was found on it."""

    state = "timeout"


FEEDING = (4, 5)
"""Status codes while power is fed in: at the maximum power point, searching or not."""


def _standard(live: Measured) -> dict[str, Value]:
    values: dict[str, Value] = {
        "dc1_voltage_v": live.u_dc,
        "dc1_current_a": live.i_dc,
        "dc_power_w": float(live.p_dc),
        "ac_power_w": float(live.p_ac),
        "temperature_c": float(live.temperature),
        "energy_today_wh": float(live.energy_today),
    }
    if (
        live.family == "xp"
    ):  # one figure for three phases: 381 V · 61.8 A · √3 = 40.8 kW beside 39.2 kW (KRTU)
        values |= {"ac_voltage_v": live.u_ac, "ac_current_a": live.i_ac}
    else:
        values |= {"ac_l1_voltage_v": live.u_ac, "ac_l1_current_a": live.i_ac}
    return values | _status(live.status, xp=live.family == "xp")


def _generic(live: Generic) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for n, string in enumerate(live.strings, 1):
        values |= {f"dc{n}_voltage_v": string.u, f"dc{n}_current_a": string.i}
        if string.p is not None:
            values[f"dc{n}_power_w"] = float(string.p)
    for n, phase in enumerate(live.phases, 1):
        values |= {f"ac_l{n}_voltage_v": phase.u, f"ac_l{n}_current_a": phase.i}
    known = {
        "dc_power_w": live.p_dc,
        "ac_power_w": live.p_ac,
        "ac_power_factor": None
        if live.cos_phi is None
        else live.cos_phi * (-1 if live.cos_phi_sign == "c" else 1),
        "ac_frequency_hz": live.frequency,
        "temperature_c": live.temperature,
        "energy_today_wh": live.energy_today,
    }
    values |= {name: float(value) for name, value in known.items() if value is not None}
    return values | _status(live.status) | {"model": live.type}


def _status(code: int, *, xp: bool = False) -> dict[str, Value]:
    text = status_text(code, xp=xp)
    known: dict[str, Value] = {"status": text} if text else {}
    return known | {"status_code": code}


def _totals(
    bus: Bus, inverter: Inverter, live: Measured | Generic, memory: Memory, rated: float, rest: int
) -> Conversation[tuple[dict[str, Value], str]]:
    """Ask for the totals of an inverter that has just answered; what goes wrong here costs the totals alone."""
    unit: Unit = inverter.unit
    # Two questions may pass until the answer is there; a 200kTL makes 200 Wh meanwhile.
    slack = max(SLACK, round(rated * 2 * (wire(bus).gap + _within(bus)) / 3600))
    try:
        left = (yield Listen(0)).left
        if left < wire(bus).gap * (rest + 1) + ANSWER_TAKES:
            return {}, "no time left in this run"
        question = codec.TotalsOf(unit.address, live.energy_today, slack=slack)
        reply = yield from ask(question, within=_within(bus), idle=_idle(bus))
    except AnswerError as error:
        return {}, str(error)
    except OutOfTime:
        return {}, "no time left in this run"
    return _weighed(bus, inverter, live, reply, memory, rated, bus.boottime + bus.budget - left)


def _behind_the_sum(live: Measured) -> Totals:
    """The total that an XP with old software sends behind each reading, in kWh; its sum does not cover it. Source: AN."""
    return Totals(None, 0, live.energy_today, 0, live.energy_total or 0, 0.0, 0.0, totals.UNTOLD)


def _weighed(
    bus: Bus,
    inverter: Inverter,
    live: Measured | Generic,
    reply: Totals,
    memory: Memory,
    rated: float,
    at: float,
) -> tuple[dict[str, Value], str]:
    """The values that may be believed of a reply no checksum covers, and why the total is not among them."""
    unit: Unit = inverter.unit
    bare = reply.address is None
    default: totals.Unit | None = "Wh" if isinstance(live, Generic) else "kWh" if bare else None
    verdict = totals.weigh(
        memory.totals.get(inverter.name, totals.Memory()),
        reply,
        at,
        bus.boot_id,
        rated=rated,
        default=default,
        setting=None if unit.total_unit == "auto" else unit.total_unit,
        model=memory.steady_type(inverter.name) if isinstance(live, Measured) else live.type,
    )
    memory.totals[inverter.name] = verdict.memory
    known = {"operating_time_h": verdict.hours, "energy_total_wh": verdict.energy_wh}
    return {name: value for name, value in known.items() if value is not None}, verdict.why
