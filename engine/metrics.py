"""What a fix is measured by: a small table of metrics over the query catalog, each with typed parameters.

How each is measured is `engine.measuring`'s; what its change means is `engine.comparison`'s.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Literal

from engine.model import Signal
from engine.sources.source import named
from workspace.errors import LoopdeskError
from workspace.text import plain

MOST_NAME = 300

Unit = Literal["share", "score", "usd", "seconds", "nights"]
Better = Literal["more", "less", "goal"]
"""`goal` is as the rounds' `score_goal` says."""
Rule = Literal["counts", "values", "ratio", "gone"]
"""What two samples are compared by: hits of trials, one number each, cost over kept rounds, or that it is gone."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table. `title` is how a sentence names it, `says` what it is for whoever chooses one. `of` is what
    is counted; `is_nightly` means that a whole night gives one number."""

    title: str
    says: str
    unit: Unit
    better: Better
    rule: Rule
    of: str = "round"
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    is_nightly: bool = False


@dataclass(frozen=True, slots=True)
class Metric:
    """`client` empty is all of the project's clients together; the others are empty where the metric takes none."""

    name: str
    project: str
    client: str = ""
    dimension: str = ""
    reason: str = ""
    fingerprint: str = ""
    model: str = ""

    @property
    def kind(self) -> Kind:
        return KINDS[self.name]

    @property
    def document(self) -> dict[str, object]:
        """As it stands in a report: JSON, without what is empty."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name))}

    @property
    def title(self) -> str:
        """`kept rate of autoagent/internal`."""
        whose = f"{self.project}/{self.client}" if self.client else self.project
        about = self.dimension.removeprefix("dim_") or self.model or self.reason
        return f"{self.kind.title}{f' ({named(about)})' if about else ''} of {named(whose)}"


KINDS: Mapping[str, Kind] = {
    "kept_rate": Kind("kept rate", "share of the decided rounds that were kept", "share", "more", "counts"),
    "new_best_rate": Kind(
        "rate of new bests", "share of the decided rounds that brought a new best score", "share", "more", "counts"
    ),
    "best_score": Kind(
        "best score", "the best score of a night, by the score's own goal", "score", "goal", "values", is_nightly=True
    ),
    "round_score": Kind("score", "the score of a round, by the score's own goal", "score", "goal", "values"),
    "scored_share": Kind(
        "share of rounds with a score", "share of the decided rounds that got a score", "share", "more", "counts"
    ),
    "dimension_mean": Kind(
        "dimension mean", "the mean of one dimension of the score", "score", "more", "values", needs=("dimension",)
    ),
    "regression_rate": Kind(
        "rate of regressions",
        "share of the scored rounds in which a dimension regressed",
        "share",
        "less",
        "counts",
        takes=("dimension",),
    ),
    "cost_per_round": Kind("cost per round", "what a decided round costs", "usd", "less", "values"),
    "cost_per_kept": Kind(
        "cost per kept round", "what all decided rounds cost for each that was kept", "usd", "less", "ratio"
    ),
    "escalation_rate": Kind(
        "escalations per round", "share of the rounds that were handed to a bigger model", "share", "less", "counts"
    ),
    "stop_nights": Kind(
        "nights with this stop",
        "nights in which a run stopped for this reason",
        "nights",
        "less",
        "gone",
        "night",
        needs=("reason",),
    ),
    "silent_nights": Kind(
        "nights that go silent",
        "nights in which a run never said why it stopped",
        "nights",
        "less",
        "gone",
        "night",
    ),
    "exception_nights": Kind(
        "nights with this exception",
        "nights in which an exception with this fingerprint was thrown",
        "nights",
        "less",
        "gone",
        "night",
        needs=("fingerprint",),
    ),
    "model_error_rate": Kind(
        "failed model calls",
        "share of the calls to models that fail",
        "share",
        "less",
        "counts",
        "call",
        (),
        ("model",),
    ),
    "model_latency": Kind(
        "time per output token",
        "the day's median seconds per output token of a model",
        "seconds",
        "less",
        "values",
        needs=("model",),
        is_nightly=True,
    ),
}
_PARAMETERS: Mapping[str, str] = {
    "project": "the loop's project, as its events name it",
    "client": "one client of it; empty is all of them together",
    "dimension": "the dimension's name, with or without dim_",
    "reason": "the stop reason, exactly as the runs give it",
    "fingerprint": "the exception's fingerprint",
    "model": "the model, as its calls name it",
}


def choices(projects: Collection[str] = ()) -> dict[str, object]:
    """A JSON schema of what `check` takes; `projects` are those there are, where they are known."""
    listed = [f"{name}: {one.says}{_parameters(one)}" for name, one in KINDS.items()]
    properties: dict[str, object] = {
        name: {"type": "string", "maxLength": MOST_NAME, "description": said} for name, said in _PARAMETERS.items()
    }
    if projects:
        properties["project"] = {"type": "string", "enum": sorted(projects), "description": _PARAMETERS["project"]}
    name = {"type": "string", "enum": list(KINDS), "description": "; ".join(listed)}
    return {
        "type": "object",
        "description": "By what it is measured, some nights after a fix was merged, whether it helped.",
        "properties": {"name": name, **properties},
        "required": ["name", "project"],
        "additionalProperties": False,
    }


def check(document: object) -> Metric:
    """A metric from JSON. Raises `LoopdeskError` for one that there is not, or that lacks what it needs."""
    if not isinstance(document, Mapping):
        raise LoopdeskError("A metric is not an object with a name and a project")
    name = document.get("name")
    if not isinstance(name, str) or name not in KINDS:
        raise LoopdeskError(f"There is no metric {plain(name, 40)!r}", do=f"Use one of {', '.join(KINDS)}")
    kind, given = KINDS[name], {}
    for key, value in document.items():
        if key not in ("name", *_PARAMETERS):
            raise LoopdeskError(f"A metric has no parameter {plain(key, 40)!r}", do=f"Use {', '.join(_PARAMETERS)}")
        if not isinstance(value, str) or len(value) > MOST_NAME:
            raise LoopdeskError(f"The metric's {key} is not a text of at most {MOST_NAME} characters")
        given[key] = value
    for key in ("project", *kind.needs):
        if not given.get(key):
            raise LoopdeskError(f"The metric {name} needs a {key}", do=f"Say {_PARAMETERS[key]}")
    # What a metric does not take says nothing, and must not look as if it did.
    known = ("name", "project", "client", *kind.needs, *kind.takes)
    return Metric(**{key: value for key, value in given.items() if key in known})


def _parameters(kind: Kind) -> str:
    needs, takes = (", ".join(names) for names in (kind.needs, kind.takes))
    return f" (needs {needs})" if needs else f" (may name a {takes})" if takes else ""


# By what a signal's source looks at; where it looks at several things, by what it says got worse.
_OF_SOURCE: Mapping[str, str] = {
    "plateau": "new_best_rate",
    "bad_stops": "stop_nights",
    "silent_runs": "silent_nights",
    "cost_spike": "cost_per_round",
    "cost_drift": "cost_per_round",
    "eval_regressions": "regression_rate",
    "funnel_leak": "scored_share",
    "escalation_streak": "escalation_rate",
    "weak_dimension": "dimension_mean",
    "exceptions": "exception_nights",
    "model_errors": "model_error_rate",
    "model_latency": "model_latency",
}
_OF_METRIC: Mapping[str, str] = {
    "score": "round_score",
    "kept_share": "kept_rate",
    "unscored_share": "scored_share",
    "cost_usd": "cost_per_round",
    "model_errors": "model_error_rate",
    "model_latency": "model_latency",
}


def for_signals(signals: Iterable[Signal]) -> Metric | None:
    """What the heaviest, then the newest of these signals is about; None where no metric is: a scorer whose scale has
    moved got neither better nor worse, and what people write says no number."""
    for signal in sorted(signals, key=lambda one: (-one.weight, -one.occurred_at.timestamp(), one.id)):
        if (metric := _for(signal)) is not None:
            return metric
    return None


def _for(signal: Signal) -> Metric | None:
    if signal.source_type in ("deploys", "router_anomalies"):
        name = _OF_METRIC.get(str(signal.extra.get("metric")), "")
    elif signal.source_product == "loopdesk" and signal.source_type == "outcome":
        name = str(signal.extra.get("metric"))
    else:
        name = _OF_SOURCE.get(signal.source_type, "")
    given = {key: value for key in _PARAMETERS if isinstance(value := signal.extra.get(key), str)}
    try:
        return check({"name": name, **given})
    except LoopdeskError:
        return None
