"""An experiment as lines to read: the verdict, the figures behind it, and how the scores of each variant lie. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from queries.variants import Compared
from queries.views.experiment import Comparison, Distribution
from queries.views.trace.detail import Line
from queries.views.words import counted, score, signed
from tui.palette import UNICODE
from tui.sections import ClockTime, fact, text_lines
from workspace.text import plain

_WIDE = 40  # cells of a strip: as many as stand beside the rows at 160 columns
_MEDIAN, _BOX, _WHISKER = "│", "=", "·"


def lines(compared: Compared, clock_time: ClockTime) -> Iterator[Line]:
    found = compared.found
    yield Line("name", plain(found.verdict, 1_000))
    for warning in found.warnings:
        yield Line("bad", plain(warning, 400))
    if compared.is_cut:
        yield Line("bad", "There are more rounds than can be compared at once: the oldest are missing.")
    for one in found.compared:
        yield Line("text", "")
        yield from _figures(one)
    if found.distributions:
        low, high = _ends(found.distributions)
        yield Line("text", "")
        yield Line("heading", f"How the scores lie, {score(low)} to {score(high)}")
        yield Line("dim", f"{'low' if found.goal == 'min' else 'high'} is good; the box holds the middle half")
        yield from _side_by_side(found.distributions, low, high, bars=True)
    yield from _by_loop(compared)
    yield Line("text", "")
    since, until = (clock_time(instant) for instant in (compared.span.since, compared.span.until))
    yield Line("dim", f"All scored rounds from {since} to {until}, by every loop; one value a round.")


def _figures(one: Comparison) -> Iterator[Line]:
    yield Line("heading", plain(one.variant, 60))
    yield fact("rounds", f"{one.rounds[1]:,} of it, {one.rounds[0]:,} of the control")
    if one.interval is not None:
        span = f"{signed(one.interval.low)} to {signed(one.interval.high)}"
        yield fact("difference", f"{signed(one.interval.difference)}, 95 % within {span}")
    if one.chance is not None:
        yield fact("by chance", f"p {chance(one.chance)} by the rank test")
    yield fact("plan", progress(one))


def chance(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def progress(one: Comparison) -> str:
    """`28 of 40 on each side; about 2 nights to go`."""
    if one.needed is None:
        return "none: when to stop was not decided"
    there = f"{min(one.needed, *one.rounds):,} of {one.needed:,} on each side"
    if not one.missing:
        return f"{there}: complete"
    nights = f"; about {counted(one.nights, 'night')} to go" if one.nights else f"; {one.missing:,} to go"
    return there + nights


def _by_loop(compared: Compared) -> Iterator[Line]:
    for loop, distributions in compared.by_loop:
        low, high = _ends(distributions)
        yield Line("text", "")
        yield Line("heading", f"{plain(loop, 80)}, {score(low)} to {score(high)}")
        for one in compared.found.by_loop:
            if one.loop == loop:
                yield Line("text", f"{plain(one.variant, 40)}: {_difference(one)}")
        yield from _side_by_side(distributions, low, high, bars=False)


def _difference(one: Comparison) -> str:
    if one.interval is None:
        return "too few rounds to compare"
    span = f"{signed(one.interval.difference)} ({signed(one.interval.low)} to {signed(one.interval.high)})"
    how = {True: "better", False: "worse", None: "not told apart"}[one.is_better]
    return f"{how}, {span}"


def _side_by_side(found: Sequence[Distribution], low: float, high: float, *, bars: bool) -> Iterator[Line]:
    """On one scale, so that the strips can be compared by eye."""
    most = max((max(_bins(one.scores, low, high)) for one in found), default=0)
    for one in found:
        figures = f"{counted(len(one.scores), 'round')}, median {score(one.quartiles[1])}, best {score(one.best)}"
        yield Line("text", f"{plain(one.variant, 40)}: {figures}")
        if bars:
            yield Line("text", f"  {_bars(one.scores, low, high, most)}")
        yield Line("text", f"  {box(one, low, high)}")


def box(one: Distribution, low: float, high: float, wide: int = _WIDE) -> str:
    """`··====│===····`: the whole range, the middle half and the median on one line."""
    first, last = (_cell(value, low, high, wide) for value in (min(one.scores), max(one.scores)))
    lower, middle, upper = (_cell(value, low, high, wide) for value in one.quartiles)
    cells = [" "] * wide
    cells[first : last + 1] = _WHISKER * (last + 1 - first)
    cells[lower : upper + 1] = _BOX * (upper + 1 - lower)
    cells[middle] = _MEDIAN
    return "".join(cells).rstrip()


def _bars(scores: Sequence[float], low: float, high: float, most: int) -> str:
    sparks = UNICODE.sparks
    levels = (round(number / most * (len(sparks) - 1)) for number in _bins(scores, low, high))
    counts = _bins(scores, low, high)
    return "".join(sparks[level] if count else " " for level, count in zip(levels, counts, strict=True)).rstrip()


def _bins(scores: Sequence[float], low: float, high: float) -> list[int]:
    found = [0] * _WIDE
    for value in scores:
        found[_cell(value, low, high, _WIDE)] += 1
    return found


def _cell(value: float, low: float, high: float, wide: int) -> int:
    return min(wide - 1, int((value - low) / (high - low) * wide)) if high > low else wide // 2


def _ends(found: Sequence[Distribution]) -> tuple[float, float]:
    return min(min(one.scores) for one in found), max(max(one.scores) for one in found)


def untold(problem: str) -> list[Line]:
    """In the place of the lines, where rounds could not be compared or were not yet."""
    return text_lines(problem, "bad") if problem else [Line("dim", "Comparing its rounds…")]
