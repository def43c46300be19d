"""All sources over the embedded store: asked together, each question once, and none stops another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from engine.model import Signal
from engine.sources import github_issues
from engine.sources.facts import Round
from engine.sources.settings import Setting, known, setting
from engine.sources.source import VARIANT_DAYS, Evidence, Failure, Gathered, Source
from queries.backend import Backend
from queries.catalog import catalog
from queries.views.answers import records
from workspace.errors import LoopdeskError

if TYPE_CHECKING:
    from queries.rest_experiments import Running

# Name -> where it is; a module is loaded when its source runs.
_PLACES = {
    "deploys": "deploys:SOURCE",
    "plateau": "plateau:SOURCE",
    "bad_stops": "stops:BAD",
    "silent_runs": "stops:SILENT",
    "cost_spike": "cost:SPIKE",
    "cost_drift": "cost:DRIFT",
    "eval_regressions": "eval_regressions:SOURCE",
    "funnel_leak": "funnel_leak:SOURCE",
    "escalation_streak": "escalation_streak:SOURCE",
    "weak_dimension": "weak_dimension:SOURCE",
    "scorer_drift": "scorer_drift:SOURCE",
    "exceptions": "exceptions:SOURCE",
    "model_errors": "model_calls:ERRORS",
    "model_latency": "model_calls:LATENCY",
    "router_anomalies": "router_anomalies:SOURCE",
    "missed_runs": "missed_runs:SOURCE",
    "experiment": "experiment:SOURCE",
}
NAMES = tuple(_PLACES)
OWN_PROJECT = "loopdesk"  # the engine's own model calls are no loop
HISTORY_DAYS = 14
# Medians of many calls: a week of them is enough, and twice as fast.
_DAYS = {"model_calls": 8, "round_variants": VARIANT_DAYS}
_AHEAD = timedelta(days=1)  # a loop's clock may be ahead of ours


def load(name: str) -> Source:
    module, attribute = _PLACES[name].split(":")
    return getattr(import_module(f"engine.sources.{module}"), attribute)


def settings(config: Mapping[str, object]) -> dict[str, Setting]:
    """Every source's setting; `config` is the table `[sources]`. Raises `LoopdeskError` for what it does not know."""
    known(config, (*NAMES, github_issues.NAME))
    github_issues.configured(config.get(github_issues.NAME, {}), token="")
    found = {}
    for name in NAMES:
        source = load(name)
        found[name] = setting(name, source.weight, source.thresholds, config.get(name, {}))
    return found


def key(source: Source) -> str:
    """`product/type`, as its signals name it."""
    return f"{source.source_product}/{source.name}"


def switched(config: Mapping[str, object], by_hand: Mapping[str, bool]) -> Mapping[str, object]:
    """The table `[sources]` with what a human switched since, by `key`."""
    chosen = dict(config)
    for name in NAMES:
        is_on = by_hand.get(key(load(name)))
        table = chosen.get(name, {})
        if is_on is not None and isinstance(table, Mapping):
            chosen[name] = {**table, "enabled": is_on}
    return chosen


def collect(
    backend: Backend, now: datetime, zone: str, config: Mapping[str, object], *, night_starts_hour: int = 18
) -> list[Signal]:
    """The signals of all sources that could look; see `gather` for those that could not."""
    return list(gather(backend, now, zone, config, night_starts_hour=night_starts_hour).signals)


def gather(
    backend: Backend,
    now: datetime,
    zone: str,
    config: Mapping[str, object],
    *,
    night_starts_hour: int = 18,
    experiments: Callable[[], Sequence[Running]] = tuple,
) -> Gathered:
    """Blocking. Asks each question once and runs every source on the answers, by `occurred_at` and id.

    Raises `LoopdeskError` only for settings that make no sense; what goes wrong in a source is in `failures`.
    """
    chosen = {name: one for name, one in settings(config).items() if one.is_enabled}
    sources = {name: load(name) for name in chosen}
    answers, asked = _answers(backend, now, sources)
    evidence = Evidence(now, zone, night_starts_hour, answers, lambda rounds: _blamed(rounds, chosen, now), experiments)
    signals: list[Signal] = []
    failures: list[Failure] = []
    for name, source in sources.items():
        try:
            signals += source.signals(evidence, chosen[name].thresholds, chosen[name].weight)
        except LoopdeskError as error:
            failures.append(Failure(name, error))
        except Exception as error:
            # A mistake in one source must not cost the owner what the others found.
            said = f"The source {name} failed: {type(error).__name__}: {error}"
            failures.append(Failure(name, LoopdeskError(said, "The other sources were read", "Please report it")))
    signals.sort(key=lambda signal: (signal.occurred_at, signal.id))
    return Gathered(tuple(signals), tuple(failures), asked)


def _answers(
    backend: Backend, now: datetime, sources: Mapping[str, Source]
) -> tuple[dict[str, tuple[Mapping[str, Any], ...] | LoopdeskError], dict[str, float]]:
    answers: dict[str, tuple[Mapping[str, Any], ...] | LoopdeskError] = {}
    asked: dict[str, float] = {}
    for name in dict.fromkeys(question for source in sources.values() for question in source.asks):
        question = catalog.load(name)
        since = now - timedelta(days=_DAYS.get(name, HISTORY_DAYS))
        values = question.values({"since": since, "until": now + _AHEAD})
        try:
            result = backend.query(question.text, values, question.types)
        except LoopdeskError as error:
            answers[name] = error
            continue
        asked[name] = result.elapsed_ms
        answers[name] = tuple(row for row in records(result) if row.get("project") != OWN_PROJECT)
    return answers, asked


def _blamed(rounds: Sequence[Round], chosen: Mapping[str, Setting], now: datetime) -> frozenset[tuple[str, str]]:
    """None where nobody looks at deploys: then their consequences are told one by one."""
    if "deploys" not in chosen:
        return frozenset()
    from engine.sources.deploys import blamed

    return blamed(rounds, chosen["deploys"].thresholds, now)
