"""A brief as one JSON document.

Keys that stay: `version` (1), `asked_at`, `timezone`, `backend` ("" where there is none), `stored` (false where nothing
is), `simulated`, `filters` {project, client}, `window` (null where nothing is stored) {kind, since, until, before
{since, until}, compared_with, run_id}, `note`, `verdict` (the headline's), `projects` (a list, one object a project),
`boards` (by name: funnel, trend, heatmap, cost, escalations, stops; each with `verdict` and its figures),
`unfinished_runs`, `running_runs`, `failed` (board -> why it could not be asked).

Times are ISO 8601; shares are 0..1; dollars are numbers; null means that nobody sent it. Text is made plain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from queries.views.brief import BOARDS, Brief
from queries.views.cost import CostPerKept
from queries.views.escalations import Escalations
from queries.views.funnel import Funnel
from queries.views.headline import Headline
from queries.views.heatmap import Heatmap
from queries.views.stops import Stops
from queries.views.trend import Trend
from queries.views.window import Span, Window
from workspace.text import plain


def document(brief: Brief) -> dict[str, Any]:
    headline, stops = brief.views.get("headline"), brief.views.get("stops")
    return _made_plain(
        {
            "version": 1,
            "asked_at": brief.asked_at.isoformat(),
            "timezone": brief.zone,
            "backend": brief.backend,
            "stored": brief.window is not None,
            "simulated": brief.is_simulated,
            "filters": {"project": brief.filters.project, "client": brief.filters.client},
            "window": _window(brief.window) if brief.window else None,
            "note": brief.note,
            "verdict": headline.verdict if isinstance(headline, Headline) else "",
            "projects": _projects(headline) if isinstance(headline, Headline) else [],
            "boards": {name: _BOARDS[name](brief.views[name]) for name in BOARDS[1:] if name in brief.views},
            "unfinished_runs": list(stops.unfinished) if isinstance(stops, Stops) else [],
            "running_runs": list(stops.running) if isinstance(stops, Stops) else [],
            "failed": dict(brief.failed),
        }
    )


def _window(window: Window) -> dict[str, Any]:
    return {
        "kind": window.kind,
        **_span(window.span),
        "before": _span(window.before),
        "compared_with": window.compared_with,
        "run_id": window.run_id or None,
    }


def _span(span: Span) -> dict[str, Any]:
    return {"since": span.since.isoformat(), "until": span.until.isoformat()}


def _projects(view: Headline) -> list[dict[str, Any]]:
    return [
        {
            "project": project.project,
            "goal": project.goal,
            "rounds": project.rounds,
            "kept": project.kept,
            "best": project.best,
            "change": project.change,
            "is_better": project.is_better,
            "spent_usd": project.spent_usd,
            "per_kept_usd": project.per_kept_usd,
            "escalations": project.escalations,
            "stopped": project.stopped or None,
            "git_shas": list(project.git_shas),
            "missing": [{"property": name, "share": missing} for name, missing in project.missing],
        }
        for project in view.projects
    ]


def _funnel(view: Funnel) -> dict[str, Any]:
    stages = [
        {"stage": stage.name, "rounds": stage.rounds, "share": stage.share, "before": stage.before}
        for stage in view.stages
    ]
    return {"verdict": view.verdict, "stages": stages, "worst": view.worst or None}


def _trend(view: Trend) -> dict[str, Any]:
    lines = [
        {
            "project": line.project,
            "goal": line.goal,
            "best": line.best,
            "best_before": line.best_before,
            "change": line.change,
            "is_better": line.is_better,
        }
        for line in view.lines
    ]
    deploys = [{"project": mark.project, "git_sha": mark.git_sha, "bucket": mark.bucket} for mark in view.marks]
    return {"verdict": view.verdict, "lines": lines, "deploys": deploys}


def _heatmap(view: Heatmap) -> dict[str, Any]:
    rows = [
        {"dimension": row.dimension, "of": row.owner or None, "average": row.average, "change": row.change}
        for row in view.rows
    ]
    return {"verdict": view.verdict, "dimensions": rows}


def _cost(view: CostPerKept) -> dict[str, Any]:
    lines = [
        {
            "project": line.project,
            "spent_usd": line.spent_usd,
            "kept": line.kept,
            "per_kept_usd": line.per_kept_usd,
            "per_kept_before_usd": line.per_kept_before_usd,
        }
        for line in view.lines
    ]
    return {
        "verdict": view.verdict,
        "spent_usd": view.spent_usd,
        "per_kept_usd": view.per_kept_usd,
        "source": view.source,
        "projects": lines,
    }


def _escalations(view: Escalations) -> dict[str, Any]:
    targets = [
        {
            "to_model": target.to_model,
            "count": target.count,
            "before": target.before,
            "projects": _counted(target.projects, "project"),
            "reasons": _counted(target.reasons, "reason"),
        }
        for target in view.targets
    ]
    return {"verdict": view.verdict, "total": view.total, "before": view.before, "targets": targets}


def _stops(view: Stops) -> dict[str, Any]:
    reasons = [
        {
            "reason": stop.reason,
            "count": stop.count,
            "before": stop.before,
            "projects": _counted(stop.projects, "project"),
            "rounds": stop.rounds,
            "cost_usd": stop.cost_usd,
            "is_bad": stop.is_bad,
        }
        for stop in view.reasons
    ]
    return {"verdict": view.verdict, "reasons": reasons}


def _counted(pairs: tuple[tuple[str, int], ...], word: str) -> list[dict[str, Any]]:
    return [{word: name, "count": count} for name, count in pairs]


_BOARDS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "funnel": _funnel,
    "trend": _trend,
    "heatmap": _heatmap,
    "cost": _cost,
    "escalations": _escalations,
    "stops": _stops,
}


def _made_plain(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {key: _made_plain(inner) for key, inner in value.items()}
    return [_made_plain(inner) for inner in value] if isinstance(value, list) else value
