"""Tables on stdout, and the few ways in which a figure is written."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

Cell = str | int | float | None


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]], notes: Sequence[str] = ()) -> None:
    """A title, columns as wide as they need (the first to the left, the others to the right), then the notes."""
    lines = [list(columns), *([spell(cell) for cell in row] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    print(f"\n{title}")
    for number, line in enumerate(lines):
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        print("  " + "  ".join(cells).rstrip())
        if number == 0:
            print("  " + "  ".join("-" * width for width in widths))
    for note in notes:
        print(f"  {note}")


def spell(cell: Cell) -> str:
    """Three significant digits below a thousand, groups of three above; a dash for what was not measured."""
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return cell
    if abs(cell) >= 1000 or isinstance(cell, int):
        return f"{cell:,.0f}"
    return f"{cell:.3g}" if abs(cell) < 100 else f"{cell:.0f}"


def ratio(measured: float | None, peer: float | None) -> str:
    return f"{measured / peer:.2f} x" if measured is not None and peer else "-"


def median(values: Sequence[float]) -> float | None:
    """None where nothing was measured."""
    return statistics.median(values) if values else None


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; `share` is 0..1."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
