"""gtm-autoresearch's loop-result JSON: one object with the rounds of a run under "results"."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from queries.importers import goals
from queries.importers.commits import instant
from queries.importers.log import BadRow, LogRound, ParsedLog, Problem, Scalar, refuse_if_mostly_bad
from queries.importers.verdicts import UNSAID, Status, Verdict, status_of
from queries.importers.wanted import Wanted
from workspace.errors import LoopdeskError
from workspace.text import plain

FORMAT = "gtm-autoresearch"
_SCORE = "score"
_ROUND_TIMES = ("timestamp", "startTime", "time")
_TOLD = {"round", "score", "dimensions", "action", "mutationSummary", "commit", "model", "costUsd", *_ROUND_TIMES}


class GtmResult:
    format = FORMAT

    def recognises(self, text: str) -> bool:
        document = _document(text)
        return isinstance(document, dict) and isinstance(document.get("results"), list)

    def parse(self, text: str, wanted: Wanted) -> ParsedLog:
        """Raises `LoopdeskError` when there are no rounds, no scores by the metric's name, or too many bad rounds."""
        document = _document(text)
        results = document["results"]
        if not results:
            raise LoopdeskError('Its "results" are empty', do="Import it again once the loop has finished a round")
        metric = wanted.metric or _SCORE
        goal = goals.choose(metric, said=wanted.goal)
        problems = _about_counts(document)
        rounds = tuple(_rounds(results, metric, wanted, problems))
        refuse_if_mostly_bad(problems, len(results))
        if wanted.metric and all(round.score is None for round in rounds):
            raise LoopdeskError(
                f'No round of it has a number "{metric}"',
                do="Name a dimension or another number of its rounds with --metric",
            )
        return ParsedLog(
            format=FORMAT,
            metric=metric,
            metric_why="as given by --metric" if wanted.metric else "the format's own",
            goal=goal.goal,
            goal_why=goal.why,
            rounds=_begun(rounds, document, wanted),
            row_count=len(results),
            problems=tuple(problems),
            client=_client(document),
            time_source='"startTime" of the file',
            about={key: value for key, value in document.items() if key.endswith("Path") and isinstance(value, str)},
        )


def _document(text: str) -> Any:
    """The parsed JSON, or None. NaN and Infinity, which some writers leave in, become None."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        return json.loads(text, parse_constant=lambda name: None)
    except (ValueError, RecursionError):
        return None


def _rounds(results: list[Any], metric: str, wanted: Wanted, problems: list[Problem]) -> Iterator[LogRound]:
    for row, result in enumerate(results, 1):
        try:
            round = _round(row, result, metric, wanted, problems)
        except BadRow as bad:
            problems.append(Problem(_place(row), str(bad), lost=True))
        else:
            if round:
                yield round


def _round(row: int, result: object, metric: str, wanted: Wanted, problems: list[Problem]) -> LogRound | None:
    """None for a round that has not ended. Raises `BadRow`."""
    place = _place(row)
    if not isinstance(result, dict):
        raise BadRow("it is not an object")
    dimensions = result.get("dimensions") or {}
    if not isinstance(dimensions, dict):
        raise BadRow('its "dimensions" are not an object')
    status = UNSAID if result.get("action") is None else status_of(str(result["action"]))
    if status is None:
        raise BadRow(f'unknown action "{plain(result["action"], 40)}"')
    if status.verdict is Verdict.PENDING:
        problems.append(Problem(place, "it has not ended yet and is left out"))
        return None
    said = result.get(metric, dimensions.get(metric))
    score = _number(said)
    if status.verdict is Verdict.CRASHED:
        score = None  # a failed round repeats the last score
    elif score is None and said is not None:
        raise BadRow(f'its "{plain(metric, 40)}" {plain(json.dumps(said), 40)} is not a number')
    elif score is None:
        action = plain(result.get("action") or "without an action", 40)
        problems.append(Problem(place, f"a round {action} has no score"))
        status = Status(Verdict.CRASHED, "crash") if status == UNSAID else status
    dims = {name: value for name, each in dimensions.items() if (value := _number(each)) is not None}
    for name in dimensions.keys() - dims.keys():
        problems.append(Problem(place, f'dimension "{plain(name, 40)}" is not a number and is left out'))
    return LogRound(
        row=row,
        place=place,
        status=status,
        score=score,
        commit=_text(result.get("commit")),
        description=_text(result.get("mutationSummary")),
        dims=dims,
        extras=_extras(result, metric),
        model=_text(result.get("model")) or None,
        cost_usd=_number(result.get("costUsd")),
        at=next((at for key in _ROUND_TIMES if (at := _instant(result.get(key), wanted))), None),
    )


def _place(row: int) -> str:
    return f"result {row}"


def _extras(result: Mapping[str, Any], metric: str) -> dict[str, Scalar]:
    kept = {key: value for key, value in result.items() if key not in _TOLD and key != metric and _is_scalar(value)}
    if _is_scalar(result.get("round")):
        kept["round"] = result["round"]
    return kept


def _begun(rounds: tuple[LogRound, ...], document: Mapping[str, Any], wanted: Wanted) -> tuple[LogRound, ...]:
    """The first round began when the run did, unless it says otherwise."""
    start = _instant(document.get("startTime"), wanted)
    if start is None or not rounds or any(round.at for round in rounds) or rounds[0].row != 1:
        return rounds
    return (replace(rounds[0], at=start), *rounds[1:])


def _about_counts(document: Mapping[str, Any]) -> list[Problem]:
    """The file counts its own rounds: a different number means that some are missing."""
    said, found = document.get("rounds"), len(document["results"])
    if isinstance(said, int) and not isinstance(said, bool) and said != found:
        return [Problem("the file", f"it says {said} rounds but holds {found}")]
    return []


def _client(document: Mapping[str, Any]) -> str | None:
    client = document.get("client")
    name = client.get("id") if isinstance(client, dict) else client
    return name.strip() or None if isinstance(name, str) else None


def _instant(value: object, wanted: Wanted) -> datetime | None:
    return instant(str(value), wanted.zone) if isinstance(value, str | int | float) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | bool) or _number(value) is not None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
