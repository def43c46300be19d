"""What came of a merged fix: verified, regressed or inconclusive, with the numbers in a sentence. Pure.

[outcomes]
nights = 3          # how many nights a fix runs before it is judged ...
rounds = 20         # ... and how many rounds at least
give_up_days = 14   # after the merge; with too little until then it is inconclusive

What a fix has to beat is the trouble it was made for: the nights from the report's first signal until the fix ran, and
not the good ones before, which would make every fix of a bad deploy look like nothing. Only where these nights hold too
few rounds are the ones before them taken along. It is judged by the first nights that are enough to tell, whenever the
engine looks, and once.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date, datetime

from engine import comparison
from engine.comparison import Comparison
from engine.effects import AddArtefact, AddDecision, Effect, RaiseSignal, Remember, SaveProposal
from engine.measuring import Measurement
from engine.metrics import Metric
from engine.model import ENGINE, Artefact, Note, Proposal, Report, Signal
from engine.rows import OUTCOME
from queries.views.words import counted, money, score
from workspace.config import Config
from workspace.errors import LoopdeskError
from workspace.text import plain

VERIFIED, REGRESSED, INCONCLUSIVE = VERDICTS = ("verified", "regressed", "inconclusive")
HISTORY_NIGHTS = 7
"""Before the fix: what a trend is read from, and the most that it is compared with."""


@dataclass(frozen=True, slots=True)
class Settings:
    nights: int = 3
    rounds: int = 20
    give_up_days: int = 14


def settings(config: Config) -> Settings:
    """`[outcomes]` over the defaults. Raises `LoopdeskError` for an unknown name or an odd value."""
    known = [one.name for one in fields(Settings)]
    for name, value in config.outcomes.items():
        if name not in known:
            raise LoopdeskError(
                f"[outcomes] has a setting that loopdesk does not know: {plain(name, 40)}",
                do=f"Known settings are {', '.join(known)}",
            )
        if type(value) is not int or not 1 <= value <= 1_000:
            raise LoopdeskError(f"outcomes.{name} is {value!r}, but must be a whole number from 1 to 1,000")
    found = Settings(**config.outcomes)  # type: ignore[arg-type]
    if found.give_up_days < found.nights:
        raise LoopdeskError(
            f"outcomes.give_up_days is {found.give_up_days}, and a fix runs {found.nights} nights",
            "No fix could ever be judged",
            "Make it larger",
        )
    return found


@dataclass(frozen=True, slots=True)
class Seen:
    """What was measured of a merged fix. `history` are the nights up to the moment at which its code first ran,
    `after` those since. `rounds` are all since the merge, also those that did not run it. `came_again` is a report of
    the same problem, seen while the fix ran; `taken_back` says that the fix was reverted."""

    metric: Metric
    history: Measurement
    after: Measurement
    trouble_since: date
    rounds: int = 0
    is_given_up: bool = False
    came_again: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`before` and `after` are what was compared."""

    verdict: str
    said: str
    metric: Metric | None = None
    before: Measurement | None = None
    after: Measurement | None = None
    chance: float | None = None
    came_again: str = ""


def verdict(seen: Seen, limits: Settings) -> Verdict | None:
    """None while it is too early."""
    before = baseline(seen, limits)
    for enough in range(limits.nights, len(seen.after.nights) + 1):
        nights = seen.after.nights[:enough]
        after = seen.after.of_nights(lambda night, last=nights[-1]: night <= last)  # type: ignore[misc]
        if after.rounds < limits.rounds:
            continue
        old, new = comparison.alike(before, after)
        if not old.observed and after.observed:
            return _said(seen, _nothing_before(seen, after), None, None, after)
        if comparison.can_tell(old, new):
            found = comparison.compared(old, new, comparison.alike(seen.history, after)[0])
            return _said(seen, _change(old, new, found), found, old, new)
        if seen.came_again:
            return _said(seen, _too_rare(old, new), None, old, new)
    return _said(seen, _too_little(seen, before, limits), None, before, seen.after) if seen.is_given_up else None


def unmeasured(came_again: str, nights: int) -> Verdict:
    """Of a fix for which no metric was chosen, after its soak."""
    if came_again:
        return Verdict(REGRESSED, f"Its problem came again within {nights} nights of the merge.", came_again=came_again)
    return Verdict(
        INCONCLUSIVE,
        f"Its problem has not come again in {counted(nights, 'night')} since the merge, and no metric was chosen that "
        "could say more.",
    )


def taken_back(by: Proposal) -> Verdict:
    return Verdict(INCONCLUSIVE, f"It was taken back by {_named(by)} before it could be measured.")


def baseline(seen: Seen, limits: Settings) -> Measurement:
    """The nights of the trouble, the nearest ones before them until there are rounds enough; of a metric for which a
    night is one number, all."""
    history = seen.history
    if seen.metric.kind.is_nightly:
        return history
    chosen = [night for night in history.nights if night >= seen.trouble_since]
    earlier = [night for night in history.nights if night < seen.trouble_since]
    while earlier and history.of_nights(chosen.__contains__).rounds < limits.rounds:
        chosen.insert(0, earlier.pop())
    # A day may lie beyond the last night.
    return history.of_nights(lambda night: bool(chosen) and night >= chosen[0])


def _said(seen: Seen, said: str, found: Comparison | None, before: Measurement | None, after: Measurement) -> Verdict:
    kind = INCONCLUSIVE
    if found is not None and found.is_better:
        kind = INCONCLUSIVE if seen.came_again else VERIFIED
    elif seen.came_again or (found is not None and found.is_worse):
        kind = REGRESSED
    again = ", but its problem came again" if found is not None and found.is_better else "; its problem came again"
    return Verdict(
        kind,
        f"{said}{again if seen.came_again else ''}.",
        seen.metric,
        before,
        after,
        found.chance if found is not None else None,
        seen.came_again,
    )


def _change(before: Measurement, after: Measurement, found: Comparison) -> str:
    title = _capital(before.metric.title)
    if before.metric.kind.rule == "gone":
        said = f"{title}: {_figure(before)} before, {_figure(after)} since the fix runs"
        return f"{said}, so it is not gone" if found.is_worse else said
    change = f"{title} went from {_figure(before)} to {_figure(after)} since the fix runs"
    if found.why_not:
        return f"{change}, which proves nothing: {found.why_not}"
    if found.is_better or found.is_worse:
        return f"{change}: {'better' if found.is_better else 'worse'}, and not by chance ({found.chance:.1g})"
    return f"{change}: no more than chance makes of it ({found.chance:.1g})"


def _nothing_before(seen: Seen, after: Measurement) -> str:
    return f"{_capital(seen.metric.title)} is {_figure(after)} since the fix runs; there is nothing before to compare"


def _too_rare(before: Measurement, after: Measurement) -> str:
    return (
        f"{_capital(before.metric.title)}: {_figure(before)} before, {_figure(after)} since the fix runs, "
        "which is too little to tell"
    )


def _too_little(seen: Seen, before: Measurement, limits: Settings) -> str:
    after, days = seen.after, counted(limits.give_up_days, "day")
    if not seen.rounds:
        return f"No round of {plain(seen.metric.project, 80)} ran in the {days} since the merge"
    if not after.rounds:
        return (
            f"None of the {counted(seen.rounds, 'round')} since the merge ran the merged code: each names a version "
            "from before it"
        )
    if len(after.nights) < limits.nights or after.rounds < limits.rounds:
        return (
            f"Only {counted(after.rounds, 'round')} in {counted(len(after.nights), 'night')} ran with the fix in "
            f"{days}; a verdict needs {limits.rounds:,} in {limits.nights:,}"
        )
    return _too_rare(*comparison.alike(before, after))


def _figure(one: Measurement) -> str:
    """`18 % (22 of 120 rounds in 3 nights)`, `0.914 (120 rounds in 3 nights)`, `2 of 3 nights`."""
    kind, value = one.metric.kind, one.value
    amount, of = sum(each.amount for each in one.observed), sum(each.of for each in one.observed)
    if kind.rule == "gone":
        return f"{amount:.0f} of {counted(round(of), kind.of)}"
    nights = counted(len({each.night for each in one.observed}), "night")
    if kind.rule == "counts":
        return f"{_share(value)} ({amount:,.0f} of {counted(round(of), kind.of)} in {nights})"
    if value is None:
        return f"nothing kept ({counted(len(one.observed), 'round')} in {nights})"
    shown = {"usd": money(value), "seconds": f"{value * 1000:.0f} ms"}.get(kind.unit, score(value))
    return f"{shown} ({nights})" if kind.is_nightly else f"{shown} ({counted(len(one.observed), 'round')} in {nights})"


def _share(value: float | None) -> str:
    """Below a tenth with a decimal: 0.4 % and 0.6 % of a thousand calls are not the same."""
    return "–" if value is None else f"{value * 100:.{0 if value >= 0.1 or not value else 1}f} %"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _named(proposal: Proposal) -> str:
    return f"#{proposal.number}" if proposal.number is not None else "another proposal"


def effects(proposal: Proposal, report: Report, found: Verdict, now: datetime) -> tuple[Effect, ...]:
    """What a verdict writes, all at once: it stands on the proposal and the report, in memory, and as a signal that
    weighs only where the fix regressed."""
    document = _document(found, now)
    about = f"“{plain(report.title, 120) or report.id}”"
    noted = (
        f"{now:%Y-%m-%d}: {about} was fixed by {_named(proposal)} (“{plain(proposal.title, 120)}”): {found.verdict}."
    )
    signal = _signal(proposal, report, found, now)
    return (
        SaveProposal(replace(proposal, verdict=found.verdict, outcome=document, changed_at=now)),
        AddArtefact(Artefact(report.id, "outcome", {"proposal": proposal.id, **document}, ENGINE, now)),
        Remember(Note(f"outcome:{proposal.id}", f"{noted} {found.said}", report.id, "", now)),
        RaiseSignal(signal, report.id) if found.verdict == REGRESSED else AddDecision(signal, report.id),
    )


def _document(found: Verdict, now: datetime) -> dict[str, object]:
    sides = {"before": found.before, "after": found.after}
    return {
        "verdict": found.verdict,
        "said": found.said,
        "metric": found.metric.document if found.metric else {},
        "unit": found.metric.kind.unit if found.metric else "",
        "better": ("less" if found.after.is_less_better else "more") if found.after else "",
        **{name: _side(side) for name, side in sides.items() if side is not None},
        "chance": found.chance,
        "came_again": found.came_again,
        "measured_at": now.isoformat(),
    }


def _side(side: Measurement) -> dict[str, object]:
    nights = side.nights
    return {
        "value": side.value,
        "amount": sum(one.amount for one in side.observed),
        "of": sum(one.of for one in side.observed),
        "rounds": side.rounds,
        "nights": len(nights),
        "first_night": nights[0].isoformat() if nights else "",
        "last_night": nights[-1].isoformat() if nights else "",
    }


def _signal(proposal: Proposal, report: Report, found: Verdict, now: datetime) -> Signal:
    """Its title names no report: what stands there may come from anywhere, and this is read by whoever groups it."""
    metric = found.metric
    about = metric.title if metric else "a problem"
    title = {
        VERIFIED: f"A merged fix helped: {about}",
        REGRESSED: f"A merged fix did not help: {about}",
        INCONCLUSIVE: f"Nobody can tell whether a merged fix helped: {about}",
    }[found.verdict]
    document = metric.document if metric else {}
    name = document.pop("name", "")
    numbers = {f"value_{side}": one.value for side, one in (("before", found.before), ("after", found.after)) if one}
    extra = {
        **document,
        **({"metric": name} if name else {}),
        "report": report.id,
        "proposal": proposal.id,
        "verdict": found.verdict,
        "numbers": numbers,
    }
    weight = 1.0 if found.verdict == REGRESSED else 0.0
    return Signal(*OUTCOME, proposal.id, f"{plain(title, 200)}\n{found.said}", weight, now, extra)
