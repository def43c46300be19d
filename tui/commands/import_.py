"""`loopdesk import`: logs that loops left in files go into the store, and it says what it understood."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from queries.importers.commits import CommitTimes, from_repository, parse_commits
from queries.importers.files import read
from queries.importers.intake import LogReport, Request, SpoolReport, take_in
from queries.importers.log import Problem
from queries.importers.wanted import Wanted
from queries.local import prices
from queries.local.retention import keeps_prompts
from queries.local.store import Store
from queries.views.words import counted
from tui.commands.cli import Context
from workspace.errors import LoopdeskError
from workspace.text import plain

_MAX_SHOWN = 20  # problems and edited rows on screen; --json has them all
_FILE = click.Path(path_type=Path)


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
@click.option("--project", help="The loop's project. Default: the format's, autoresearch or gtm-autoresearch.")
@click.option("--client", help="Default: the file's own, else internal.")
@click.option("--metric", help="The column or dimension that is the score.")
@click.option("--goal", type=click.Choice(["min", "max"]), help="Whether lower or higher is better.")
@click.option("--run", "run_name", metavar="NAME", help="The log's name. Default: the file's.")
@click.option("--replace", is_flag=True, help="Import the log afresh: what came from it earlier is removed.")
@click.option("--commits", type=_FILE, metavar="FILE", help="Commit times: sha, tab, ISO time, tab, subject.")
@click.option("--repo", type=_FILE, metavar="DIR", help="The loop's git repository, to read commit times from.")
@click.option(
    "--minutes-per-round",
    type=click.FloatRange(min=0, max=7 * 24 * 60, min_open=True),
    default=5.0,
    show_default=True,
    help="Spacing of rounds whose time nobody knows.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def command(
    context: Context,
    files: tuple[Path, ...],
    project: str | None,
    client: str | None,
    metric: str | None,
    goal: Any,
    run_name: str | None,
    replace: bool,
    commits: Path | None,
    repo: Path | None,
    minutes_per_round: float,
    as_json: bool,
) -> int:
    """Store the rounds of autoresearch results.tsv logs, gtm-autoresearch loop results and spooled events.

    A log that has grown adds only its new rows.
    """
    if run_name and len(files) > 1:
        raise LoopdeskError(f"--run names one log, but {len(files)} files are given", do="Import them one by one")
    if commits and repo:
        raise LoopdeskError("--commits and --repo both give commit times", do="Use one of them")
    zone = ZoneInfo(context.config.zone)
    request = Request(
        wanted=Wanted(metric=_said(metric), goal=goal, zone=zone),
        now=datetime.now(UTC),
        project=_said(project),
        client=_said(client),
        run=_said(run_name),
        commits=_commit_times(commits, repo, zone),
        spacing=timedelta(minutes=minutes_per_round),
        replace=replace,
    )
    outcomes = _import_all(files, request, context)
    if as_json:
        click.echo(json.dumps(_document(outcomes), indent=2))
    else:
        for path, outcome in outcomes:
            if not isinstance(outcome, LoopdeskError):
                click.echo("\n".join(_told(path, outcome, zone)))
    sys.stdout.flush()
    failed = [(path, outcome) for path, outcome in outcomes if isinstance(outcome, LoopdeskError)]
    for path, error in failed:
        click.echo(f"loopdesk: {plain(path, 200)} was not imported: {error}", err=True)
    return 1 if failed else 0


Outcome = LogReport | SpoolReport | LoopdeskError


def _import_all(files: Sequence[Path], request: Request, context: Context) -> list[tuple[Path, Outcome]]:
    """Each file by itself: what is wrong with one does not keep the others out."""
    opened: list[Store] = []

    def open_store() -> Store:
        if not opened:
            config = context.config
            opened.append(
                Store.open(
                    context.workspace.create().events_db,
                    prices=prices.load(config.prices_file),
                    keep_prompts=keeps_prompts(config.prompt_days),
                )
            )
        return opened[0]

    outcomes: list[tuple[Path, Outcome]] = []
    taken: set[str] = set()
    try:
        for path in files:
            try:
                outcomes.append((path, take_in(path, request, open_store, taken)))
            except LoopdeskError as error:
                outcomes.append((path, error))
    finally:
        for store in opened:
            store.close()
    return outcomes


def _commit_times(commits: Path | None, repo: Path | None, zone: ZoneInfo) -> CommitTimes | None:
    if not commits:
        return from_repository(repo) if repo else None
    try:
        text = read(commits).text
    except LoopdeskError as error:
        raise LoopdeskError(f"--commits {plain(commits, 120)}: {error.what}", do=error.do) from error
    return parse_commits(text, commits.name, zone)


def _said(text: str | None) -> str | None:
    return (text or "").strip() or None


def _told(path: Path, report: LogReport | SpoolReport, zone: ZoneInfo) -> list[str]:
    if isinstance(report, SpoolReport):
        known = f"; {report.known_events:,} were there already" if report.known_events else ""
        head = f"{plain(path.name)}: spooled events"
        stored = f"  stored   {counted(report.stored_events, 'event')}{known}"
        return [head, stored, *_problems(report.spool.problems, report.notes)]
    log, summary, recorded = report.log, report.summary, report.recorded
    better = "lower" if log.goal == "min" else "higher"
    told = [
        f"{plain(path.name)}: {log.format} log, {counted(len(log.rounds), 'round')}",
        f"  metric   {plain(log.metric, 60)} ({log.metric_why})",
        f"  goal     {log.goal}: {better} is better ({plain(log.goal_why, 80)})",
        f"  rounds   {summary.kept:,} kept, {summary.discarded:,} discarded, {summary.crashed:,} crashed",
    ]
    if summary.best and summary.best.score is not None and summary.first_score is not None:
        what = ", ".join(filter(None, [plain(summary.best.commit, 12), plain(summary.best.description, 60)]))
        best = f"{summary.best.score:.9g} in row {summary.best.row}{f' ({what})' if what else ''}"
        told.append(f"  best     {best}; the first was {summary.first_score:.9g}")
    first, last = report.first.astimezone(zone), report.last.astimezone(zone)
    told += [
        f"  times    {plain(report.time_source, 160)}",
        f"  span     {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M %Z}",
        f"  stored   {_stored(report)} as {plain(report.name.key, 120)}",
    ]
    edited = [f"{row.place}: {row.what} changed since it was imported (not stored)" for row in recorded.edited]
    if edited:
        edited.append("use --replace to import the log afresh")
    if recorded.gone:
        edited.append(f"{counted(recorded.gone, 'row')} imported earlier are no longer in the log; they stay stored")
    return told + _problems(log.problems, [*report.notes, *edited])


def _stored(report: LogReport) -> str:
    recorded = report.recorded
    parts = [f"{counted(recorded.stored_rows, 'round')} ({counted(recorded.stored_events, 'event')})"]
    if recorded.known_rows:
        parts.append(f"{recorded.known_rows:,} were there already")
    if recorded.replaced_events:
        parts.append(f"{counted(recorded.replaced_events, 'old event')} removed")
    return ", ".join(parts)


def _problems(problems: Sequence[Problem], notes: Sequence[str]) -> list[str]:
    lines = [f"{problem.place}: {problem.text}{' (left out)' if problem.lost else ''}" for problem in problems]
    lines = [*notes, *lines]
    more = [f"... and {len(lines) - _MAX_SHOWN} more; --json has them all"] if len(lines) > _MAX_SHOWN else []
    return [f"  note     {plain(line, 240)}" for line in [*lines[:_MAX_SHOWN], *more]]


def _document(outcomes: Sequence[tuple[Path, Outcome]]) -> dict[str, Any]:
    files = [{"file": str(path), **_as_json(outcome)} for path, outcome in outcomes]
    return {
        "files": files,
        "stored_events": sum(file["stored_events"] for file in files),
        "failed": sum(file["error"] is not None for file in files),
    }


def _as_json(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, LoopdeskError):
        return {"error": str(outcome), "stored_events": 0}
    if isinstance(outcome, SpoolReport):
        return {
            "error": None,
            "format": outcome.spool.format,
            "events": len(outcome.spool.events),
            "stored_events": outcome.stored_events,
            "known_events": outcome.known_events,
            "problems": [_problem_json(problem) for problem in outcome.spool.problems],
            "notes": list(outcome.notes),
        }
    log, summary, recorded = outcome.log, outcome.summary, outcome.recorded
    best = summary.best
    return {
        "error": None,
        "format": log.format,
        "project": outcome.name.project,
        "client": outcome.name.client,
        "log": outcome.name.name,
        "run_id": outcome.name.run_id,
        "metric": log.metric,
        "metric_why": log.metric_why,
        "goal": log.goal,
        "goal_why": log.goal_why,
        "rounds": len(log.rounds),
        "kept": summary.kept,
        "discarded": summary.discarded,
        "crashed": summary.crashed,
        "first_score": summary.first_score,
        "best": best and {"score": best.score, "row": best.row, "commit": best.commit, "description": best.description},
        "times": {
            "known": outcome.known_times,
            "estimated": len(log.rounds) - outcome.known_times,
            "source": outcome.time_source,
            "first": outcome.first.isoformat(),
            "last": outcome.last.isoformat(),
        },
        "stored_rounds": recorded.stored_rows,
        "known_rounds": recorded.known_rows,
        "edited": [{"row": row.row, "place": row.place, "what": row.what} for row in recorded.edited],
        "gone_rows": recorded.gone,
        "stored_events": recorded.stored_events,
        "replaced_events": recorded.replaced_events,
        "problems": [_problem_json(problem) for problem in log.problems],
        "notes": list(outcome.notes),
    }


def _problem_json(problem: Problem) -> dict[str, Any]:
    return {"place": problem.place, "text": problem.text, "left_out": problem.lost}
