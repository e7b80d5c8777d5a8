"""How long things take on the wire: 10 bit times a byte, and what USB adapters add."""

TURNAROUND = 0.03
"""Seconds of quiet before a question (ARD: "required"; YASDI's own pause is 30 to 60 ms)."""

PATIENCE = 1.0
"""Seconds beyond the wire's own time until an answer must have begun (sheet section 10: limit = bytes + 1.0 s)."""

SHORT_PATIENCE = 0.3
"""The same for a probe at night."""

CHUNK = 64
"""Bytes that a USB adapter may collect before it hands them on."""


def on_wire(count: int, baudrate: int) -> float:
    """Seconds that so many bytes take."""
    return count * 10 / baudrate


def within(request: int, baudrate: int, *, shortly: bool = False) -> float:
    """Seconds from handing over a question of so many bytes to the begin of its answer, as it may reach us."""
    return on_wire(request + CHUNK, baudrate) + (SHORT_PATIENCE if shortly else PATIENCE)


def idle(baudrate: int) -> float:
    """Seconds without a byte that end an answer: a whole chunk may be on its way."""
    return on_wire(CHUNK, baudrate) + 0.2
