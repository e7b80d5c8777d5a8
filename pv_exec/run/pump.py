"""The only performer of conversations: gap, quiet line, budget. The same pump runs on a real port and in virtual time."""

from collections.abc import Callable
from typing import NamedTuple

from pv_exec.conversation import Conversation, Heard, Keep, Link, Listen, OutOfTime, Report, Send, Step
from pv_exec.model import Found, Outcome, Progress

PATIENCE = 1.0
"""Seconds to wait for a line that is never quiet before sending all the same; the answer's checks decide then."""

SLIP = 5e-7
"""Seconds too early that are none: a wait for less might not move a virtual clock that is the difference of two floats."""

STUBBORN = 10_000
"""How often a conversation may go on sending after its time was up before it counts as a bug."""


class Terms(NamedTuple):
    """What the bus demands of whoever talks on it; all times are those of `now`, in seconds."""

    now: Callable[[], float]
    ends: float
    gap: float
    quiet: float
    last_request: float | None = None
    note_request: Callable[[float], None] = lambda _: None


def pump(
    talk: Conversation[None],
    link: Link,
    terms: Terms,
    report: Callable[[Outcome | Found | Progress], None],
    keep: Callable[[Keep], None],
) -> None:
    """Perform a conversation to its end. Raises LinkError as the link does; never runs past `terms.ends` by more than a write."""
    last = terms.last_request
    late = 0
    step: Step
    try:
        step = next(talk)
        while True:
            heard = Heard(b"", terms.ends - terms.now())
            if isinstance(step, Report):
                report(step.what)
            elif isinstance(step, Keep):
                keep(step)
            elif (data := _perform(step, link, terms, last)) is None:
                late += 1
                if late > STUBBORN:
                    raise RuntimeError("the conversation does not end after its time was up")
                step = talk.throw(OutOfTime())
                continue
            else:
                if isinstance(step, Send):
                    last = terms.now()
                    terms.note_request(last)
                    link.write(step.data)
                heard = Heard(data, terms.ends - terms.now())
            step = talk.send(heard)
    except StopIteration:
        return


def _perform(step: Send | Listen, link: Link, terms: Terms, last: float | None) -> bytes | None:
    """What is heard until the step is done (before a Send: until it may go out), None when the time is up."""
    if isinstance(step, Listen):
        left = terms.ends - terms.now()
        return link.read(min(step.seconds, left)) if left > 0 else None
    now = terms.now()
    start = now if last is None else max(now, last + terms.gap)
    quiet_from = now
    stray = b""
    while True:
        now = terms.now()
        if max(now, start) >= terms.ends:
            return None
        due = max(start, quiet_from + terms.quiet)
        if now >= due - SLIP or now >= start + PATIENCE:
            return stray
        data = link.read(min(due, terms.ends) - now)
        if data:
            stray += data
            quiet_from = terms.now()
