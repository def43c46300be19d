"""Where rounds drop off between being started and being kept."""

from __future__ import annotations

from dataclasses import dataclass

from queries.backend import QueryResult
from queries.views.answers import records
from queries.views.words import counted, share


@dataclass(frozen=True, slots=True)
class Stage:
    """`rounds` is None where nobody sends the event. `share` is of the `previous` stage that is sent, 0..1, among the
    projects that send both: the `senders`."""

    name: str
    rounds: int | None
    share: float | None
    before: int | None = None
    previous: str = ""
    senders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Funnel:
    stages: tuple[Stage, ...]
    verdict: str
    worst: str = ""
    """Name of the stage with the largest loss; empty where there is none."""


# Stage -> its column, in the order of a round's life.
_STAGES = ("started", "proposed", "applied", "scored", "kept")


def funnel(now: QueryResult, before: QueryResult) -> Funnel:
    """From `round_funnel`'s rows. A project's stage that it never sends is left out of the shares around it, so that
    a loop without proposals does not look like a loop that loses them."""
    projects, earlier = records(now), records(before)
    stages = tuple(_stage(name, projects, earlier) for name in _STAGES)
    seen = sum(row["seen"] for row in projects)
    if not seen:
        return Funnel(stages, "No rounds in this window.")
    losses = [(stage.share, stage.name) for stage in stages if stage.share is not None and stage.name != "kept"]
    worst_share, worst = min(losses, default=(1.0, ""))
    kept = stages[-1]
    parts = [f"{counted(seen, 'round')}, {f'{kept.rounds:,}' if kept.rounds else 'none'} kept"]
    if kept.rounds is None:
        parts = [f"{counted(seen, 'round')}; nobody sends which were kept"]
    elif kept.rounds:
        parts[0] += f" ({share(kept.rounds / seen)})"
    if worst and worst_share < 1:
        previous = _named_before(worst, stages)
        lost = 1 - worst_share
        parts.append(f"{share(lost)} of those {previous} were never {worst}")
    else:
        worst = ""
    return Funnel(stages, "; ".join(parts) + ".", worst)


def _stage(name: str, projects: list[dict], earlier: list[dict]) -> Stage:
    senders = [row for row in projects if name in _sent(row)]
    reached = sum(row[name] for row in senders) if senders else None
    # Only projects that send both stages say how many of the one reached the other.
    previous = _previous(name, projects)
    both = [row for row in senders if previous in _sent(row)]
    base = sum(row[previous] for row in both)
    share_of_previous = min(1.0, sum(row[name] for row in both) / base) if base else None
    then = [row[name] for row in earlier if name in _sent(row)]
    earlier_rounds = sum(then) if then else None
    return Stage(name, reached, share_of_previous, earlier_rounds, previous, tuple(row["project"] for row in both))


def _sent(row: dict) -> list[str]:
    """The stages that a project sends. A stage of zero is a loss where rounds could have reached it, and silence
    where later stages were reached without it."""
    reached = [name for name in _STAGES if row[name]]
    if not reached:
        return []
    following = _STAGES[_STAGES.index(reached[-1]) + 1 :]
    if row["reverted"]:
        return [*reached, *following[-1:]]  # outcomes are sent, so that no kept round means none was kept
    return [*reached, *following[:1]]


def _previous(name: str, projects: list[dict]) -> str:
    """The nearest earlier stage that anybody sends; empty where there is none."""
    sent = {stage for row in projects for stage in _sent(row)}
    return next((stage for stage in reversed(_STAGES[: _STAGES.index(name)]) if stage in sent), "")


def _named_before(name: str, stages: tuple[Stage, ...]) -> str:
    earlier = [stage.name for stage in stages[: _STAGES.index(name)] if stage.rounds is not None]
    return earlier[-1] if earlier else "seen"
