"""Tables as text: right-aligned figures, with a line on how they came about."""

from collections.abc import Sequence


def show(title: str, how: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: the first column to the left, all others to the right."""
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    rule = "-" * (sum(widths) + 2 * len(widths) - 2)
    print(f"\n{title}", rule, *(_row(row, widths) for row in (head, *rows)), rule, how, sep="\n", flush=True)


def verdict(met: bool) -> str:
    return "pass" if met else "FAIL"


def _row(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.ljust(width) if not at else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join((first, *others)).rstrip()
