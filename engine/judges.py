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
from engine.judge import Assessment, Candidate, Case, Judge, Match, Safety, SignalText
from engine.model import Signal
from workspace.config import Config

if TYPE_CHECKING:
    from engine.store import Store

RULES, MODEL = "rules", "model"


@dataclass(frozen=True, slots=True)
class Mode:
    """Who judges now. `said` are sentences: why it is so, and what a key or a yes would change."""

    judge: str
    has_key: bool
    consent: Consent | None
    models: Mapping[str, str]
    estimate: Estimate
    limits: budget.Limits
    said: tuple[str, ...]

    @property
    def asks_for_consent(self) -> bool:
        """Whether the owner is to be asked: there is a key, and nobody has answered yet."""
        return self.has_key and self.consent is None


def mode(config: Config, connection: sqlite3.Connection | None, now: datetime) -> Mode:
    """`connection` None is a workspace without an inbox. Raises `LoopdeskError` for a configuration that makes no
    sense."""
    answered = consent(connection) if connection is not None else None
    has_key, is_given = bool(config.anthropic_key), answered is not None and answered.is_given
    expected = estimate(config, connection, now)
    return Mode(
        judge=MODEL if has_key and is_given else RULES,
        has_key=has_key,
        consent=answered,
        models=roles.models(config),
        estimate=expected,
        limits=budget.limits(config),
        said=_said(has_key, answered, expected),
    )


_GAINS = (
    "A model would also see manipulation in other words than the rules know, group what is worded differently, and "
    "judge whether something can be done, instead of asking you."
)


def _said(has_key: bool, answered: Consent | None, expected: Estimate) -> tuple[str, ...]:
    if not has_key:
        return (
            "Rules judge: there is no ANTHROPIC_API_KEY.",
            _GAINS,
            expected.said,
            "It would be asked only after your yes.",
        )
    if answered is None:
        return ("Rules judge until you say yes to a model.", _GAINS, expected.said)
    if not answered.is_given:
        return ("Rules judge: you said no to a model.", _GAINS, expected.said)
    return ("A model judges. The rules read everything first: what they block reaches no model.", expected.said)


def judge_of(config: Config, store: Store, rules: Judge, clock: Callable[[], datetime]) -> Judge:
    """Raises `LoopdeskError` for models, prices, budgets or an address that make no sense, key or not."""
    budget.limits(config)
    roles.check(config)
    return _Consented(config, store, rules, clock) if config.anthropic_key else rules


class _Consented:
    """The model's from the moment of the yes, and the rules' again from the moment of a no."""

    def __init__(self, config: Config, store: Store, rules: Judge, clock: Callable[[], datetime]) -> None:
        self._config, self._store, self._rules, self._clock = config, store, rules, clock
        self._model_judge: Judge | None = None

    @property
    def _judge(self) -> Judge:
        answered = consent(self._store.connection)
        if answered is None or not answered.is_given:
            return self._rules
        if self._model_judge is None:
            self._model_judge = _model_judge(self._config, self._store, self._rules, self._clock)
        return self._model_judge

    @property
    def name(self) -> str:
        return self._judge.name

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


def _model_judge(config: Config, store: Store, rules: Judge, clock: Callable[[], datetime]) -> Judge:
    from engine.budget import Books
    from engine.llm import Model
    from engine.main import warn
    from engine.model_judge import ModelJudge
    from engine.own_events import own_events

    def report_of(signal_id: str) -> str:
        row = store.connection.execute(
            "SELECT report_id FROM report_signals WHERE signal_id = ? AND left_at IS NULL", (signal_id,)
        ).fetchone()
        return row[0] if row else ""

    return ModelJudge(Model(config, Books(config, store, clock), own_events(config, warn), clock), rules, report_of)
