"""The morning in text: the boards' own verdicts with their key figures, one section a board, for pipes, mail and cron.

Nothing is judged here: a verdict is the view's own sentence, a figure the view's own number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from queries.views.cost import CostPerKept
from queries.views.escalations import Escalations
from queries.views.filters import Filters
from queries.views.funnel import Funnel
from queries.views.headline import Headline
from queries.views.heatmap import Heatmap
from queries.views.stops import Stops
from queries.views.trend import Trend
from queries.views.window import Window
from queries.views.words import day, money, score, share, signed

BOARDS = ("headline", "funnel", "trend", "heatmap", "cost", "escalations", "stops")
NOTHING_STORED = "Nothing is stored yet. Send events to `loopdesk serve`, or import a log with `loopdesk import FILE`."
_MOST_ROWS = 8  # of a figure table; mail is read, not scrolled


@dataclass(frozen=True, slots=True)
class Brief:
    """`window` is None where nothing is stored. `views` are the answered boards by name; `failed` has a sentence for
    each board that could not be asked. `backend` is empty where there is none."""

    asked_at: datetime
    zone: str
    backend: str
    filters: Filters = field(default_factory=Filters)
    window: Window | None = None
    note: str = ""
    is_simulated: bool = False
    views: Mapping[str, object] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Section:
    """One board. `columns` name the cells of `rows`; both are empty where the verdict says all. `more` rows are cut."""

    title: str
    verdict: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    more: int = 0


def sections(brief: Brief, titles: Mapping[str, str]) -> tuple[Section, ...]:
    """A section for each board, in the order of the Morning; `titles` are the boards' own."""
    found = []
    for name in BOARDS:
        if name in brief.failed:
            found.append(Section(titles[name], f"Could not be asked. {brief.failed[name]}"))
        elif name in brief.views:
            verdict, columns, rows = _FIGURES[name](brief.views[name])
            found.append(
                Section(
                    titles[name], verdict, columns if rows else (), rows[:_MOST_ROWS], max(0, len(rows) - _MOST_ROWS)
                )
            )
    return tuple(found)


def heading(brief: Brief) -> tuple[str, ...]:
    """What, when, from where: short lines that stand above the sections."""
    zone = ZoneInfo(brief.zone)
    asked = _time(brief.asked_at.astimezone(zone))
    where = {"embedded": "the embedded store", "posthog": "PostHog", "": "no store"}.get(brief.backend, brief.backend)
    lines = []
    if brief.window:
        since, until = (edge.astimezone(zone) for edge in (brief.window.span.since, brief.window.span.until))
        name = {"night": "Night", "24h": "24 hours", "7d": "7 days", "30d": "30 days", "run": "Run"}[brief.window.kind]
        lines.append(f"{name} from {_time(since)} to {_time(until)} ({brief.zone})")
    lines.append(f"Asked of {where} on {asked} ({brief.zone})")
    if brief.filters.said:
        lines.append(f"Only {brief.filters.said}")
    if brief.is_simulated:
        lines.append("SIMULATED: no loop ran these rounds")
    return tuple(lines)


def notes(brief: Brief) -> tuple[str, ...]:
    """What a reader must know before believing the figures."""
    found = [brief.note] if brief.note else []
    headline, stops = brief.views.get("headline"), brief.views.get("stops")
    if isinstance(headline, Headline):
        found += [
            f"{project.project}: {share(missing)} of its events say no {name}."
            for project in headline.projects
            for name, missing in project.missing
        ]
    if isinstance(stops, Stops):
        found += [f"{name}: its run never said why it stopped." for name in stops.unfinished]
        found += [f"{name}: its run is still running." for name in stops.running]
    return tuple(found)


Figures = tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]


def _headline(view: Headline) -> Figures:
    rows = tuple(
        (
            project.project,
            score(project.best),
            _moved(project.change, project.is_better),
            f"{project.rounds:,}",
            "–" if project.kept is None else f"{project.kept:,}",
            money(project.spent_usd),
            project.stopped or "–",
        )
        for project in view.projects
    )
    return view.verdict, ("project", "best", "change", "rounds", "kept", "spent", "stopped"), rows


def _funnel(view: Funnel) -> Figures:
    rows = tuple(
        (
            stage.name,
            "not sent" if stage.rounds is None else f"{stage.rounds:,}",
            share(stage.share),
            "–" if stage.before is None else f"{stage.before:,}",
        )
        for stage in view.stages
    )
    is_empty = not any(stage.rounds for stage in view.stages)
    return view.verdict, ("stage", "rounds", "of the stage before", "earlier"), () if is_empty else rows


def _trend(view: Trend) -> Figures:
    rows = tuple(
        (line.project, score(line.best), score(line.best_before), _moved(line.change, line.is_better))
        for line in view.lines
    )
    return view.verdict, ("project", "best", "before", "change"), rows


def _heatmap(view: Heatmap) -> Figures:
    rows = tuple((row.dimension, row.owner or "–", score(row.average), signed(row.change)) for row in view.rows)
    return view.verdict, ("dimension", "of", "average", "change"), rows


def _cost(view: CostPerKept) -> Figures:
    rows = tuple(
        (line.project, money(line.per_kept_usd), money(line.per_kept_before_usd), money(line.spent_usd))
        for line in view.lines
    )
    return view.verdict, ("project", "per kept round", "before", "spent"), rows


def _escalations(view: Escalations) -> Figures:
    rows = tuple((target.to_model, f"{target.count:,}", f"{target.before:,}") for target in view.targets)
    return view.verdict, ("to model", "now", "before"), rows


def _stops(view: Stops) -> Figures:
    rows = tuple(
        (
            stop.reason,
            f"{stop.count:,}",
            f"{stop.before:,}",
            ", ".join(name for name, _ in stop.projects),
        )
        for stop in view.reasons
    )
    return view.verdict, ("reason", "now", "before", "projects"), rows


_FIGURES: Mapping[str, Callable[..., Figures]] = {
    "headline": _headline,
    "funnel": _funnel,
    "trend": _trend,
    "heatmap": _heatmap,
    "cost": _cost,
    "escalations": _escalations,
    "stops": _stops,
}


def _moved(change: float | None, is_better: bool | None) -> str:
    word = {True: " better", False: " worse", None: ""}[is_better]
    return f"{signed(change)}{word}"


def _time(local: datetime) -> str:
    return f"{day(local)} {local:%H:%M}"
