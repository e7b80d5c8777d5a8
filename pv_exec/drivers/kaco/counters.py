"""Command 3, yields and hours, with and without a header, both directions. No checksum: what it says is weighed in totals.py."""

import re
from collections.abc import Sequence

from pv_exec.box.errors import Corrupt
from pv_exec.drivers.kaco.frame import Frame, behind, line_of, number, refuse_if, shown, text_of
from pv_exec.drivers.kaco.messages import Totals

_HOURS = r"([0-9]{1,6}):([0-5][0-9])"
_TOTALS = (
    r"\*([0-9]{2})3 +([0-9]{1,7}) +([0-9]{1,8}) +([0-9]{1,10}) +([0-9]{1,10}) +"
    + " +".join([_HOURS] * 3)
    + " *"
)
_TOTALS_LENGTH = 59
_PLACES_TOTALS = (number(5), *[number(6)] * 3, *[{hours + b":00" for hours in number(6)}] * 3)


def totals_headed(data: bytes, ended: bool) -> Frame | None:
    """Seven values behind `*AA3`; widths grow with the counters. Sources: PVM, K485, CAP, JAVA, KRTU."""
    if (line := line_of(data, ended)) is None:
        return None
    match = re.fullmatch(_TOTALS, text_of(line))
    if not match:
        raise Corrupt(f"not the seven values of command 3: {shown(line)}")
    return Frame(_totals(int(match[1]), match.groups()[1:5], match.groups()[5:]), len(line) + 2)


def totals_bare(data: bytes, ended: bool) -> Frame | None:
    """The shape of the xi: no header, exactly 59 bytes. Sources: CAP, K485."""
    if len(data) < _TOTALS_LENGTH:
        refuse_if(data, ended)
        return None
    text = data[: _TOTALS_LENGTH - 1] + b" "
    words = text[1:].decode("latin-1").split()
    hours = [part for word in words[4:] for part in word.split(":")]
    if (
        behind(text, 1, _PLACES_TOTALS) != _TOTALS_LENGTH
        or data[_TOTALS_LENGTH - 1] != 0x0D
        or any(int(minutes) > 59 for minutes in hours[1::2])
    ):
        raise Corrupt(f"not the seven values of command 3: {shown(data[:_TOTALS_LENGTH])}")
    return Frame(_totals(None, words[:4], hours), _TOTALS_LENGTH)


def _totals(address: int | None, counters: Sequence[str], hours: Sequence[str]) -> Totals:
    peak, today, clearable, total = (int(word) for word in counters)
    h, m = hours[::2], hours[1::2]
    each = [(int(h[n]) * 60 + int(m[n])) / 60 for n in range(3)]
    return Totals(address, peak, today, clearable, total, *each)


def encode_totals(t: Totals, *, header: bool, zeros: bool) -> bytes:
    """Without a header, or an address to put there: the 59 bytes of an xi. `zeros`: hours as TL3 and blueplanet print them, `000012:38`."""
    hours = []
    for value in (t.hours_today, t.hours_clearable, t.hours_total):
        whole, minutes = divmod(round(value * 60), 60)
        hours.append(f"{whole:06d}:{minutes:02d}" if zeros else f"{whole:6d}:{minutes:02d}")
    header = header and t.address is not None
    counters = (f"{t.peak_today:5d}", f"{t.energy_today:6d}", f"{t.clearable:6d}", f"{t.total:6d}")
    frame = f"\n{f'*{t.address:02d}3' if header else ''} {' '.join((*counters, *hours))}\r".encode()
    if not header and len(frame) != _TOTALS_LENGTH:
        raise ValueError("a counter does not fit the shape without a header")
    return frame
