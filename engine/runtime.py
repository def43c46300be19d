"""What the engine of a workspace is made of, by its configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from engine import holding, judges, leftovers
from engine.about import KEY, About, AboutSource, document, read_about
from engine.agents.lazy import LazyAgent
from engine.announcing import Announcing
from engine.at_home import AtHome
from engine.blobs import FolderBlobs
from engine.budget import Books, limits
from engine.consent import Consent, consent
from engine.delivering import Delivering, Forges
from engine.doing import Done, done_by
from engine.effects import SetMeta
from engine.embedding import embedder
from engine.fetching import Fetching
from engine.grouping import Grouping
from engine.judge import Judge, Unavailable
from engine.judges import judge_of
from engine.listening import Listening
from engine.main import Build, Parts, Stage, Worked, utc_now, warn
from engine.marking import Marking
from engine.notifying import Notifying
from engine.pulling import Pulling
from engine.reconcile import RESEARCH
from engine.roles import check
from engine.rules.judge import RulesJudge
from engine.safety import SafetyFilter
from engine.sandbox.protocol import Sandbox
from engine.soaking import Soaking
from engine.sources import registry
from engine.sources.github_issues import NAME, SOURCE, WEIGHT, configured
from engine.starting import Starting
from engine.store import Store
from engine.watching import Watching
from engine.work import Work
from engine.works import one_sandbox, purses, works
from workspace.config import Config

if TYPE_CHECKING:
    from engine.demo.script import ScriptedAgent

_LOOKS_EVERY = timedelta(minutes=1)


def parts(config: Config, clock: Callable[[], datetime] = utc_now) -> Build:
    """Raises `LoopdeskError` for a configuration that makes no sense, before anything is opened."""
    if config.workspace.demo_marker.exists():
        config = _simulated(config)
    limits(config)
    check(config)
    repositories = configured(config.signal_sources.get(NAME, {}), config.github_token)
    pulling = Pulling(config) if config.asks_posthog else None
    sources: list[Stage] = [*([pulling] if pulling else []), Listening(config), Fetching(repositories)]
    soaking = Soaking(config, is_current=lambda: pulling is None or pulling.is_current)
    sandbox = one_sandbox()
    forges = Forges(config, sandbox, clock)
    blobs = FolderBlobs(config.workspace.blobs)
    # Last in a turn: what the others found out is told.
    outward: list[Stage] = [Notifying(config), Announcing(config), Marking(config)]

    def build(store: Store) -> Parts:
        leftovers.remove_all(config.workspace)
        judge = judge_of(config, store, RulesJudge(), clock)
        books = Books(config, store, clock)

        agent: LazyAgent | ScriptedAgent
        if config.workspace.demo_marker.exists():
            agent, doable = _scripted(config, sandbox, blobs, books, clock, judge)
        else:
            agent = LazyAgent(config, sandbox, blobs, purses(books), clock, lambda: _refuse_unasked(store), warn)
            doable = works(config, agent, sandbox, blobs, clock, judge)
        at_home = {kind: AtHome(work, store, clock) for kind, work in doable.items()}
        done = done_by(config, at_home, store, books, blobs, clock, lambda: _may_ask(config, store))

        return Parts(
            stages=(
                _Saying(config),
                *sources,
                SafetyFilter(judge),
                Grouping(judge, embedder(config.embedding_model, warn)),
                Starting(config),
                Watching(forges, judge),
                *done.stages,
                soaking,
                *outward,
            ),
            handlers={**done.handlers, **Delivering(config, forges, blobs, judge, clock).handlers},
            close=lambda: _closed(judge, agent, done),
            limits=done.limits,
        )

    return build


def _scripted(
    config: Config,
    sandbox: Callable[[], Sandbox],
    blobs: FolderBlobs,
    books: Books,
    clock: Callable[[], datetime],
    judge: Judge,
) -> tuple[ScriptedAgent, Mapping[str, Work]]:
    """Of a demo: no model is asked."""
    from engine.demo.script import OneReport, Scripted, ScriptedAgent
    from engine.demo.story import story

    agent = ScriptedAgent(config, sandbox, blobs, purses(books), clock, warn)
    by_rules = works(config, agent, sandbox, blobs, clock, judge)
    by_script = works(config, agent, sandbox, blobs, clock, Scripted())
    return agent, {**by_script, RESEARCH: OneReport(by_script[RESEARCH], by_rules[RESEARCH], sandbox, story())}


async def _closed(judge: Judge, agent: LazyAgent | ScriptedAgent, done: Done) -> None:
    done.close()
    await judge.close()
    await agent.close()


def _may_ask(config: Config, store: Store) -> bool:
    answered = consent(store.connection)
    return bool(config.anthropic_key) and answered is not None and answered.is_given


def _refuse_unasked(store: Store) -> None:
    answered = consent(store.connection)
    if answered is None or not answered.is_given:
        raise Unavailable("No model may be asked yet", "You have not said yes to one", "Answer on the engine screen")


def _simulated(config: Config) -> Config:
    """Of a simulated weekend nothing goes out, and nothing real comes in: no key and no table of the owner's counts."""
    from engine.demo.script import config_of

    return config_of(
        Config(
            workspace_dir=config.workspace_dir,
            timezone=config.zone,
            night_starts_hour=config.night_starts_hour,
            backend="embedded",
        )
    )


class _Saying:
    """Leaves word of what the engine is, at its start and whenever that changes: a yes or a no changes who judges. What
    was held for who judged before, or for another budget, is tried again."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._said: About | None = None
        self._looked: tuple[datetime, Consent | None] | None = None

    async def __call__(self, store: Store, now: datetime) -> Worked:
        # The estimate counts all signals of two weeks: too much for every turn.
        answered = consent(store.connection)
        if self._looked is not None and abs(now - self._looked[0]) < _LOOKS_EVERY and answered == self._looked[1]:
            return Worked()
        self._looked = (now, answered)
        found = about(self._config, store, self._said.at if self._said else now)
        if found == self._said:
            return Worked()
        before, self._said = self._said or read_about(store.connection), replace(found, at=now)
        with store.transaction("reconcile"):
            store.write([SetMeta(KEY, document(self._said))], now)
            if before is not None and (before.judge, before.limits) != (found.judge, found.limits):
                holding.lift(store.connection, now)
        return Worked()


def about(config: Config, store: Store, now: datetime) -> About:
    """What screens show of the engine without loading it."""
    mode = judges.mode(config, store.connection, now)
    return About(
        at=now,
        sources=tuple(_sources(config)),
        judge=mode.judge,
        mode=mode.why,
        with_key=mode.with_model,
        has_key=mode.has_key,
        has_consent=mode.has_consent,
        models=mode.models,
        estimate_usd=round(mode.estimate.usd, 4),
        limits={name: getattr(mode.limits, name) for name in mode.limits.__slots__},
    )


def _sources(config: Config) -> list[AboutSource]:
    set_ = registry.settings(config.signal_sources)
    found = []
    for name in registry.NAMES:
        source = registry.load(name)
        found.append(AboutSource(registry.key(source), source.title, set_[name].is_enabled, set_[name].weight))
    repositories = configured(config.signal_sources.get(NAME, {}), "")
    where = ", ".join(one.repository for one in repositories) or "no repository is configured"
    weight = repositories[0].weight if repositories else WEIGHT
    found.append(AboutSource(SOURCE, "Issues on GitHub", bool(repositories), weight, where))
    return found
