"""When a report has earned a research pass, and in a sentence why not yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from engine.model import Report, aged

# The public reference's policy: at most four passes that signals earn, each at more signals than the one before.
PASSES_AT = (1, 2, 4, 10)
ENOUGH = 1.0
PROMOTES = ("potential", "ready")


@dataclass(frozen=True, slots=True)
class Promotion:
    """`why` says what it lacks; empty where it is due."""

    is_due: bool
    why: str = ""


def weight_of(signals: Iterable[tuple[float, datetime]]) -> tuple[float, datetime | None]:
    """The sum of (weight, occurred at) as of the newest of them, and when that was.

    As of the newest and not of now, because time alone must not take away what was enough.
    """
    known = [(weight, at) for weight, at in signals if weight > 0]
    if not known:
        return 0.0, None
    newest = max(at for _, at in known)
    return sum(aged(weight, newest - at) for weight, at in known), newest


def promotion(report: Report) -> Promotion:
    """Whether a pass is due. A report that is snoozed, declined, done or already on its way never is."""
    if report.is_snoozed:
        return Promotion(False, _snoozed(report))
    if report.status not in PROMOTES:
        return Promotion(False, "It gathers no further pass in its present state.")
    if report.passes >= len(PASSES_AT):
        return Promotion(False, f"It had its {len(PASSES_AT)} passes; another starts by hand only.")
    # Compared as it is shown, to a tenth: two signals of one half that came a day apart are enough.
    weight, needed = round(report.weight, 1), PASSES_AT[report.passes]
    if weight < ENOUGH:
        since = " since its last pass" if report.passes else ""
        return Promotion(False, f"Its signals weigh {report.weight:.2g}{since}; a pass starts at {ENOUGH:.1f}.")
    if report.signals < needed:
        return Promotion(False, f"It has {_signals(report.signals)}; its next pass starts at {needed}.")
    return Promotion(True)


def _snoozed(report: Report) -> str:
    ends = []
    if report.snoozed_until is not None:
        ends.append(f"until {report.snoozed_until:%Y-%m-%d %H:%M} UTC")
    if report.wakes_at_signals is not None:
        ends.append(f"until {_signals(max(1, report.wakes_at_signals - report.signals))} more")
    return f"It is snoozed {' or '.join(ends)}."


def _signals(count: int) -> str:
    return f"{count} signal" if count == 1 else f"{count} signals"
