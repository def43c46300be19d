"""What lies behind a number of a board: which rounds to ask for, in words and as a question of the catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from queries.views.answers import goal_of
from queries.views.escalations import Target
from queries.views.funnel import Stage
from queries.views.heatmap import DimensionRow
from queries.views.stops import Stop
from queries.views.trend import DeployMark, Line
from queries.views.words import bucket_words, counted

EVENTS: Mapping[str, str] = {
    "started": "round_started",
    "proposed": "proposal_generated",
    "applied": "proposal_applied",
    "scored": "round_scored",
    "kept": "round_kept",
}
_DECIDED = "round_kept,round_reverted"


@dataclass(frozen=True, slots=True)
class Drill:
    """The rounds behind one number.

    `says` names them and begins with `rounds`. `question` answers with their ids, given `params` beside the window's.
    `projects` are the only ones that count, all where empty. `count` is the number that was on screen, where it counts
    events rather than rounds. `value` is what the question's last column is called, `sort` the column (its title, and
    whether it descends) that puts the round in question first. `is_before` looks at the time that is compared with.
    """

    says: str
    question: str = "rounds_at_stage"
    params: tuple[tuple[str, str], ...] = ()
    projects: tuple[str, ...] = ()
    count: int | None = None
    value: str = ""
    sort: tuple[str, bool] | None = None
    is_before: bool = False
    round_ids: tuple[str, ...] = ()
    """Who they are, where that is known already: then nobody is asked for it."""

    def before(self, compared_with: str = "before") -> Drill:
        """The same rounds of the time that the window is compared with."""
        return replace(self, says=f"{self.says}, {compared_with}", is_before=True, count=None)


def all_rounds(project: str = "") -> Drill:
    return Drill(f"rounds of {project}" if project else "rounds", projects=_only(project))


def kept_rounds(project: str = "", buckets: Sequence[str] = ()) -> Drill:
    return _staged("kept", "round_kept", project, buckets)


def decided_rounds(project: str = "", buckets: Sequence[str] = ()) -> Drill:
    """Those that money was counted for."""
    return _staged("kept or reverted", _DECIDED, project, buckets)


def scored_rounds(project: str, goal: str, buckets: Sequence[str] = ()) -> Drill:
    """The best one first."""
    return replace(_staged("scored", "round_scored", project, buckets), sort=("score", goal_of(goal) == "max"))


def reached(stage: Stage) -> Drill:
    return Drill(f"rounds {stage.name}", params=(("reached", EVENTS.get(stage.name, stage.name)),))


def lost(stage: Stage) -> Drill | None:
    """Those that the stage before still had; None where there is no such stage."""
    if not stage.previous:
        return None
    params = (("reached", EVENTS[stage.previous]), ("missing", EVENTS[stage.name]))
    return Drill(f"rounds {stage.previous} and not {stage.name}", params=params, projects=stage.senders)


def of_sha(project: str, git_sha: str) -> Drill:
    return Drill(f"rounds of {project} at {git_sha[:10]}", params=(("git_sha", git_sha),), projects=(project,))


def of_mark(mark: DeployMark) -> Drill:
    return of_sha(mark.project, mark.git_sha)


def of_line(line: Line, buckets: Sequence[str] = ()) -> Drill:
    return scored_rounds(line.project, line.goal, buckets)


def of_dimension(row: DimensionRow, buckets: Sequence[str] = ()) -> Drill:
    """The weakest one first."""
    owner = row.client or row.project
    params = (("dim", f"dim_{row.dimension}"), ("client", row.client), *_at(buckets))
    return Drill(
        f"rounds of {owner} scored on {row.dimension}{_when(buckets)}",
        "rounds_with_dimension",
        params,
        (row.project,),
        value=row.dimension,
        sort=(row.dimension, False),
    )


def escalated(to_model: str = "", *, project: str = "", reason: str = "", buckets: Sequence[str] = ()) -> Drill:
    by = f" by {project}" if project else ""
    why = f" for {reason}" if reason else ""
    return Drill(
        f"rounds handed to {to_model or 'a bigger model'}{by}{why}{_when(buckets)}",
        "rounds_escalated",
        (("to_model", to_model), ("reason", reason), *_at(buckets)),
        _only(project),
        value="reason",
    )


def of_target(target: Target) -> Drill:
    return replace(escalated(target.to_model), count=target.count)


def stopped(reason: str, project: str = "") -> Drill:
    by = f" of {project}" if project else ""
    return Drill(
        f"rounds of the runs{by} that stopped on {reason}", "rounds_stopped", (("reason", reason),), _only(project)
    )


def of_stop(stop: Stop) -> Drill:
    return stopped(stop.reason)


def called(model: str, source: str) -> Drill:
    """Those with a call that the event `source` tells of. The one with the slowest call first."""
    return Drill(
        f"rounds that called {model}",
        "rounds_with_model",
        (("model", model), ("source", source)),
        value="slowest s",
        sort=("slowest s", True),
    )


def prompted(project: str, source: str) -> Drill:
    """Those whose prompts the event `source` tells of. The one with the longest first."""
    return Drill(
        f"rounds of {project} with a prompt",
        "rounds_with_tokens",
        (("source", source),),
        _only(project),
        value="prompt tokens",
        sort=("prompt tokens", True),
    )


def with_case(project: str, client: str, dim: str) -> Drill:
    """Those with eval cases of a dimension. The one that scored lowest first."""
    return Drill(
        f"rounds of {client or project} with cases of {dim}",
        "rounds_with_case",
        (("dimension", dim), ("client", client)),
        (project,),
        value=dim,
        sort=(dim, False),
    )


def regressed(name: str, project: str, client: str, run_id: str) -> Drill:
    """Those of a run in which eval cases regressed. The one with most of them first."""
    return Drill(
        f"rounds of {name}'s run that regressed",
        "rounds_regressed",
        (("run", run_id), ("client", client)),
        (project,),
        value="regressions",
        sort=("regressions", True),
    )


def with_scorer(project: str, version: str, variant: str, goal: str) -> Drill:
    """The best one first."""
    return Drill(
        f"rounds of {project} scored by {version} {variant}",
        "rounds_with_scorer",
        (("version", version), ("variant", variant)),
        (project,),
        value="its score",
        sort=("its score", goal_of(goal) == "max"),
    )


def of_run(name: str, run_id: str) -> Drill:
    return Drill(f"rounds of {name}'s run", params=(("run", run_id),))


def of_task(task_type: str, *, model: str = "", source: str = "token_machine.request") -> Drill:
    """Those with a request of that type, as the router or the model observability tells it."""
    by = f" of {model}" if model else ""
    params = (("source", source), ("task_type", task_type), ("model", model))
    return Drill(f"rounds that asked for {task_type}{by}", "rounds_of_task", params, value="spent")


def begun_by(task_type: str, model: str) -> Drill:
    """Of one type of task, by the model that each round began with."""
    params = (("task_type", task_type), ("model", model))
    return Drill(f"rounds of {task_type} begun by {model}", "rounds_of_model", params, value="quality")


def after_anomaly(type: str) -> Drill:
    return Drill(f"rounds reverted within the hour after {type}", "rounds_after_anomaly", (("type", type),))


def of_agent(project: str, client: str, agent: str) -> Drill:
    owner = f"{project}/{client}" if client else project
    return Drill(
        f"rounds of {owner} with {agent or 'no agent named'}",
        "rounds_of_agent",
        (("client", client), ("agent", agent)),
        (project,),
    )


def named(about: str, round_ids: Sequence[str]) -> Drill:
    return Drill(f"rounds behind {about}", round_ids=tuple(round_ids))


def of_row(board: str, row: Mapping) -> Drill | None:
    """For a row of a board's own question, as the table of a full screen shows it."""
    return _ROWS[board](row) if board in _ROWS else None


def _of_dimension_row(row: Mapping) -> Drill:
    return of_dimension(
        DimensionRow("", row["dim"].removeprefix("dim_"), 0.0, None, (), row["project"], row["client"] or ""),
        [row["bucket"]],
    )


_ROWS: Mapping[str, Callable[[Mapping], Drill]] = {
    "headline": lambda row: all_rounds(row["project"]),
    "funnel": lambda row: all_rounds(row["project"]),
    "trend": lambda row: scored_rounds(row["project"], row["goal"] or "", [row["bucket"]]),
    "heatmap": _of_dimension_row,
    "cost": lambda row: decided_rounds(row["project"], [row["bucket"]]),
    "escalations": lambda row: escalated(
        row["to_model"] or "", project=row["project"], reason=row["reason"] or "", buckets=[row["bucket"]]
    ),
    "stops": lambda row: stopped(row["reason"] or "(no reason)", row["project"]),
}


def _staged(word: str, events: str, project: str, buckets: Sequence[str]) -> Drill:
    of = f" of {project}" if project else ""
    return Drill(
        f"rounds{of} {word}{_when(buckets)}", params=(("reached", events), *_at(buckets)), projects=_only(project)
    )


def _only(project: str) -> tuple[str, ...]:
    return (project,) if project else ()


def _at(buckets: Iterable[str]) -> tuple[tuple[str, str], ...]:
    named = ",".join(buckets)
    return (("at", named),) if named else ()


def _when(buckets: Sequence[str]) -> str:
    return f" {bucket_words(buckets)}" if buckets else ""


def title(drill: Drill, found: int, is_cut: bool) -> str:
    """`3 rounds applied and not scored.`, and what its number counted besides."""
    of = drill.says.removeprefix("rounds")
    if is_cut:
        return f"The newest {found:,} rounds{of}."
    said = f"{counted(found, 'round') if found else 'No round'}{of}"
    if drill.count is not None and drill.count > found:
        return f"{said}; the others of the {drill.count:,} name no round, or one of these again."
    return f"{said}."
