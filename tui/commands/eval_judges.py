"""The judge that is scored: the rules, which are always there, or the model that the configuration names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from engine import process
from engine.judge import Judge
from engine.main import Stage, utc_now, warn
from engine.store import Store
from tui.commands.cli import Context
from workspace.config import Config
from workspace.errors import LoopdeskError


@dataclass(frozen=True, slots=True)
class Asked:
    """`grouping` makes the engine's grouping stage over a store."""

    judge: Judge
    grouping: Callable[[Store], Stage]

    @property
    def name(self) -> str:
        return self.judge.name


@contextmanager
def judged_by(name: str, context: Context) -> Iterator[Asked]:
    """`rules` or `model`. Raises `LoopdeskError` where no model can be asked, and beside a running engine: what a model
    costs is booked in the workspace, by one process at a time."""
    from engine.rules.judge import RulesJudge

    rules = RulesJudge()
    if name == "rules":
        yield _asked(rules, context.config)
        return
    from engine.judges import RULES, judge_of, mode

    with process.only_engine(context.workspace.create()):
        store = Store.open(context.workspace.inbox_db)
        try:
            now = mode(context.config, store.connection, utc_now())
            if now.judge == RULES:
                raise LoopdeskError("No model can be asked here", now.why)
            yield _asked(judge_of(context.config, store, rules, utc_now), context.config)
        finally:
            store.close()


def _asked(judge: Judge, config: Config) -> Asked:
    def grouping(store: Store) -> Stage:
        from engine.embedding import embedder
        from engine.grouping import Grouping

        return Grouping(judge, embedder(config.embedding_model, warn))

    return Asked(judge, grouping)
