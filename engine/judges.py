"""Who judges: the rules, or a model once there is a key and the owner said yes. What of it a screen shows is light;
the model's part is loaded on its first use, in the engine alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from engine import budget, roles
from engine.consent import Consent, Estimate, consent, estimate
from engine.judge import Assessment, Candidate, Case, Judge, Match, Safety, SignalText, Unavailable
from engine.model import Signal
from workspace.config import Config

if TYPE_CHECKING:
    from engine.store import Store

RULES = "rules"
_WITH_KEY = (
    "A model would also see manipulation in words that the rules do not know, group what is worded differently, and "
    "judge by itself whether something can be done, where the rules ask you."
)


@dataclass(frozen=True, slots=True)
class Mode:
    """Who judges: `judge` is `rules` or the models' names, `why` a sentence. `with_model` says what a model would
    change, empty where one judges."""

    judge: str
    why: str
    with_model: str
    has_key: bool
    consent: Consent | None
    models: Mapping[str, str]
    estimate: Estimate
    limits: budget.Limits

    @property
    def has_consent(self) -> bool:
        return self.consent is not None and self.consent.is_given

    @property
    def asks_for_consent(self) -> bool:
        """Whether the owner is to be asked: there is a key, and nobody has answered yet."""
        return self.has_key and self.consent is None


def mode(config: Config, connection: sqlite3.Connection | None, now: datetime) -> Mode:
    """`connection` None is a workspace without an inbox. Raises `LoopdeskError` for a configuration that makes no
    sense."""
    answered = consent(connection) if connection is not None else None
    expected, models = estimate(config, connection, now), roles.models(config)
    is_model = bool(config.anthropic_key) and answered is not None and answered.is_given
    return Mode(
        judge=_names(models) if is_model else RULES,
        why=_why(bool(config.anthropic_key), answered),
        with_model="" if is_model else f"{_WITH_KEY} {expected.said}",
        has_key=bool(config.anthropic_key),
        consent=answered,
        models=models,
        estimate=expected,
        limits=budget.limits(config),
    )


def _names(models: Mapping[str, str]) -> str:
    return ", ".join(dict.fromkeys(models.values()))


def _why(has_key: bool, answered: Consent | None) -> str:
    if not has_key:
        return "Rules judge: there is no ANTHROPIC_API_KEY. With one you would be asked before any model is."
    if answered is None:
        return "Rules judge until you say yes to a model."
    if not answered.is_given:
        return "Rules judge: you said no to a model."
    return "A model judges. The rules read every signal first: what they block reaches no model."


def judge_of(config: Config, store: Store, rules: Judge, clock: Callable[[], datetime]) -> Judge:
    """The model's from the moment of the yes, and the rules' again from the moment of a no. Raises `LoopdeskError` for
    models, prices, budgets or an address that make no sense, key or not."""
    budget.limits(config)
    roles.check(config)
    if not config.anthropic_key:
        return rules

    def may_ask() -> bool:
        answered = consent(store.connection)
        return answered is not None and answered.is_given

    def report_of(signal_id: str) -> str:
        row = store.connection.execute(
            "SELECT report_id FROM report_signals WHERE signal_id = ? AND left_at IS NULL", (signal_id,)
        ).fetchone()
        return row[0] if row else ""

    def made() -> Judge:
        from engine.main import warn

        return _model_judge(config, budget.Books(config, store, clock), rules, clock, report_of, warn)

    return _Chosen(rules, may_ask, made)


def judge_on_worker(
    config: Config,
    books: budget.Purser,
    rules: Judge,
    clock: Callable[[], datetime],
    warn: Callable[[str], None],
) -> Judge:
    """The model's: whether one may be asked was answered before the job came here. `warn` is told where its events
    cannot be kept."""

    def made() -> Judge:
        if not config.anthropic_key:
            raise Unavailable("No model is configured on this worker", do="Set ANTHROPIC_API_KEY there")
        return _model_judge(config, books, rules, clock, lambda _: "", warn)

    return _Chosen(rules, lambda: True, made)


class _Chosen:
    """The rules' judgement, or where `may_ask` the model's, made on its first use."""

    def __init__(self, rules: Judge, may_ask: Callable[[], bool], made: Callable[[], Judge]) -> None:
        self._rules, self._may_ask, self._made = rules, may_ask, made
        self._model_judge: Judge | None = None

    @property
    def _judge(self) -> Judge:
        if not self._may_ask():
            return self._rules
        if self._model_judge is None:
            self._model_judge = self._made()
        return self._model_judge

    @property
    def name(self) -> str:
        return self._judge.name

    async def close(self) -> None:
        if self._model_judge is not None:
            await self._model_judge.close()

    async def safety(self, text: SignalText) -> Safety:
        return await self._judge.safety(text)

    async def safety_together(self, texts: Sequence[SignalText]) -> Safety:
        return await self._judge.safety_together(texts)

    async def queries(self, signal: Signal) -> Sequence[str]:
        return await self._judge.queries(signal)

    async def match(self, signal: Signal, candidates: Sequence[Candidate]) -> Match:
        return await self._judge.match(signal, candidates)

    async def assess(self, case: Case) -> Assessment:
        return await self._judge.assess(case)


def _model_judge(
    config: Config,
    books: budget.Purser,
    rules: Judge,
    clock: Callable[[], datetime],
    report_of: Callable[[str], str],
    warn: Callable[[str], None],
) -> Judge:
    from engine.llm import Model
    from engine.model_judge import ModelJudge
    from engine.own_events import own_events

    return ModelJudge(Model(config, books, own_events(config, warn), clock), rules, report_of)
