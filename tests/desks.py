"""A desk without a database: answers worked out by hand, a memory for a cache, and workers that run when told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from textual.pilot import Pilot

from queries.backend import Backend, QueryResult
from queries.boards import Answer
from queries.morning import Chosen, Run, Scope
from queries.views.deploys import Deploy, Deploys
from queries.views.filters import Filters
from queries.views.rounds import Round, Rounds
from queries.views.timeline import Annotation
from queries.views.window import Window, night, rolling
from tests.board_views import COST, ESCALATIONS, FUNNEL, HEADLINE, HEATMAP, STOPS, TREND
from tests.conftest import NOW
from tui.asker import Found, Place
from tui.desk import Desk
from workspace.errors import LoopdeskError

NIGHT = night(NOW, "UTC")


def one_round(number: int, **changed: object) -> Round:
    outcome = ("kept", "reverted", "reverted", "crashed")[number % 4]
    made = Round(
        round_id=f"01J{number:05}",
        run_id="01RUN",
        project=("autoagent", "autoresearch", "gtm-autoresearch")[number % 3],
        client="internal",
        agent="planner",
        model="claude-sonnet-4-5",
        started=NOW - timedelta(minutes=number + 1),
        last_stage="decided",
        outcome=outcome,
        score=None if outcome == "crashed" else 0.7 + number / 1000,
        delta=None if outcome == "crashed" else 0.01 * (1 if outcome == "kept" else -1),
        is_better=None if outcome == "crashed" else outcome == "kept",
        cost_usd=0.05 + number / 100,
        duration_s=60.0 + number,
        errors=number % 2,
        git_sha="4f2c1d9e8a7b",
    )
    return replace(made, **changed)  # type: ignore[arg-type]


ROUNDS = Rounds(tuple(one_round(number) for number in range(40)), False, "40 rounds: 10 kept, 20 reverted, 10 crashed.")
DEPLOYS = Deploys(
    (Deploy("autoagent", "4f2c1d9e8a7b", NOW - timedelta(hours=9), 30, 0.81, 0.14, 0.42, None),),
    "No deploy of a loop's code in this window; 4f2c1d9 throughout.",
)
VIEWS: dict[str, object] = {
    "headline": HEADLINE,
    "funnel": FUNNEL,
    "trend": TREND,
    "heatmap": HEATMAP,
    "cost": COST,
    "escalations": ESCALATIONS,
    "stops": STOPS,
    "rounds": ROUNDS,
    "deploys": DEPLOYS,
}
TABLE = QueryResult(
    columns=("project", "rounds", "best"),
    types=("Nullable(String)", "UInt64", "Nullable(Float64)"),
    rows=(("autoagent", 64, 0.812), ("autoresearch", 72, 0.974), ("gtm-autoresearch", 67, None)),
    timezone="UTC",
    backend="embedded",
    asked_at=NOW,
)


def answer(
    board: str,
    view: object | None = None,
    *,
    window: Window = NIGHT,
    filters: Filters | None = None,
    at: datetime = NOW,
    results: QueryResult = TABLE,
) -> Answer:
    found = view if view is not None else VIEWS[board]
    hogql = f"-- project = ''\nSELECT count() FROM events -- {board}"
    return Answer(board, window, filters or Filters(), at, "embedded", (results,), found, hogql)


class FakeAsker:
    """Answers at once; what it is asked is written down. `views` and `errors` are by board."""

    name = source = "embedded"
    is_embedded = True

    def __init__(self) -> None:
        self.views: dict[str, object] = dict(VIEWS)
        self.errors: dict[str, LoopdeskError] = {}
        self.asked: list[str] = []
        self.places: list[Place] = []
        self.freshness: list[bool] = []
        self.cancelled = 0
        self.is_empty = False
        self.note = ""
        self.new_events: frozenset[str] = frozenset()
        self.results = TABLE
        self.happened: tuple[Annotation, ...] = ()
        self.backend: Backend | None = None
        """Who answers what is no board."""

    def choose(self, place: Place, *, fresh: bool = False) -> Chosen | None:
        self.freshness.append(fresh)
        self.places.append(place)
        if self.is_empty:
            return None
        if "window" in self.errors:
            raise self.errors["window"]
        window = NIGHT if place.kind in ("night", "run") else rolling(place.kind, NOW)
        return Chosen(replace(window, kind=place.kind, run_id=place.run_id), self.note)

    def ask(self, board: str, window: Window, filters: Filters, *, fresh: bool = False) -> Answer:
        self.asked.append(board)
        if board in self.errors:
            raise self.errors[board]
        return answer(board, self.views[board], window=window, filters=filters, results=self.results)

    def answer(self, call: Callable[[Backend], Found], *, fresh: bool = False) -> Found:
        if self.backend is None:
            raise LoopdeskError("This desk has no store")
        return call(self.backend)

    def annotations(self) -> tuple[Annotation, ...]:
        if "annotations" in self.errors:
            raise self.errors["annotations"]
        return self.happened

    def scope(self) -> Scope:
        runs = (Run("01RUN", "autoagent", "internal", NOW - timedelta(hours=9), NOW, 64),)
        return Scope(("autoagent", "autoresearch", "gtm-autoresearch"), ("acme", "internal"), runs, NOW)

    def cancel(self) -> None:
        self.cancelled += 1

    def arrived(self) -> frozenset[str]:
        found, self.new_events = self.new_events, frozenset()
        return found


class Memory:
    """A cache that is a dictionary."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = {(found.board, "night", found.filters): found for found in answers}
        self.happened: tuple[Annotation, ...] = ()
        self.values: dict[str, object] = {}
        self.documents: dict[str, object] = {}
        self.lines: list[tuple[datetime, str, str, str]] = []

    def load(self, board: str, kind: str, filters: Filters) -> Answer | None:
        return self.answers.get((board, kind, filters))

    def save(self, found: Answer, kind: str) -> None:
        self.answers[found.board, kind, found.filters] = found

    def annotations(self) -> tuple[Annotation, ...]:
        return self.happened

    def save_annotations(self, found: tuple[Annotation, ...]) -> None:
        self.happened = found

    def kept(self, name: str) -> object:
        return self.documents.get(name)

    def keep(self, name: str, document: object) -> None:
        self.documents[name] = json.loads(json.dumps(document))

    def state(self, name: str, default: object) -> object:
        return self.values.get(name, default)

    def states(self) -> dict[str, object]:
        return dict(self.values)

    def set_state(self, name: str, value: object) -> None:
        self.values[name] = value

    def note(self, at: datetime, desk: str, place: str, said: str) -> None:
        self.lines.append((at, desk, place, said))

    def notes(self, without: str = "") -> list[tuple[datetime, str, str]]:
        return [(at, place, said) for at, desk, place, said in reversed(self.lines) if desk != without]


class Held:
    """Workers that begin only when they are told."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], object]] = []

    def __call__(self, run: Callable[[], object]) -> None:
        self.waiting.append(run)

    def run_all(self) -> None:
        """Also what is asked for by what ran."""
        waiting, self.waiting = self.waiting, []
        for run in waiting:
            run()


def at_once(run: Callable[[], object]) -> None:
    run()


def desk(asker: FakeAsker | None = None, cache: Memory | None = None, **options: object) -> Desk:
    """A desk whose workers run at once and whose clock stands at 07:12."""
    options.setdefault("spawn", at_once)
    options.setdefault("now", lambda: NOW)
    return Desk(asker or FakeAsker(), cache or Memory(), watch=False, **options)  # type: ignore[arg-type]


async def settled(pilot: Pilot) -> None:
    """Until nothing is on its way any more: a window, the boards in it, and the screens that show them."""
    app = pilot.app
    assert isinstance(app, Desk)
    for _ in range(6):
        await pilot.pause()
        if not app.work.pending(app.screen):
            return


def screen_text(app: Desk) -> str:
    """What stands on the screen, line by line."""
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())
