"""Three rounds of one run in a real store, and an asker that reads traces out of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from queries.backend import Backend, QueryResult
from queries.local.backend import LocalBackend
from queries.local.store import Store
from queries.views.rounds import Rounds
from tests.conftest import NOW
from tests.desks import FakeAsker, one_round
from tests.events import event
from workspace.errors import LoopdeskError

FIRST, SECOND, THIRD = (f"01JTRACE0000000000000000{letter}" for letter in "ABC")


def told(name: str, seconds: float, round_id: str, **properties: object) -> dict:
    at = NOW - timedelta(minutes=20) + timedelta(seconds=seconds)
    return event(name, at=at, round_id=round_id, run_id="01JRUN", agent="coder", **properties)


def events_of(round_id: str, start: float, score: float, *, ends: bool = True) -> list[dict]:
    span = f"G{round_id}"
    call = {"$ai_trace_id": round_id, "$ai_span_id": span, "$ai_parent_id": f"P{round_id}", "$ai_model": "sonnet"}
    call |= {"$ai_input_tokens": 1000, "$ai_output_tokens": 200, "$ai_total_cost_usd": 0.02, "$ai_latency": 2.0}
    call |= {"$ai_input": [{"role": "user", "content": "What now?"}], "$ai_output_choices": [{"content": "A plan."}]}
    tool, suite = f"T{round_id}", f"E{round_id}"
    steps: list[tuple[float, str, dict]] = [
        (0, "round_started", {"baseline_score": 0.7, "model": "sonnet"}),
        (3, "$ai_generation", call),
        (3.1, "step.plan", {"step_id": f"P{round_id}", "plan": "Show the agent its own plan"}),
        (4, "step.tool_called", {"step_id": tool, "tool": "read_file", "args_json": '{"path": "a.py"}'}),
        (6, "step.tool_returned", {"step_id": tool, "tool": "read_file", "ok": False, "error": "connection reset"}),
        (7, "step.retry", {"step_id": tool, "cause": "connection reset", "attempt": 2}),
        (7.1, "step.tool_called", {"step_id": tool, "tool": "read_file", "args_json": '{"path": "a.py"}'}),
        (8, "step.tool_returned", {"step_id": tool, "tool": "read_file", "ok": True}),
        (300, "eval.run", {"suite_id": suite, "suite": "tasks"}),
        (301, "eval.case", {"suite_id": suite, "case_id": "tasks/tone", "score": 0.8, "passed": True}),
        (302, "eval.case", {"suite_id": suite, "case_id": "tasks/reach", "score": 0.3, "passed": False,
                            "rationale": "too narrow an audience"}),
        (303, "round_scored", {"score": score, "score_goal": "max", "dim_tone": score, "dim_reach": 0.3}),
        (304, "round_kept", {"delta": score - 0.7, "cost_usd": 0.03}),
    ]  # fmt: skip
    return [told(name, start + at, round_id, **given) for at, name, given in (steps if ends else steps[:-3])]


class StoreAsker(FakeAsker):
    """Boards by hand, traces out of a real store. `prompts` is what `ai_events` would answer, None a refusal."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.backend = LocalBackend(folder / "events.db", now=lambda: NOW)
        self.prompts: list[tuple] | None = None
        self.asks_the_store = False
        self.link = ""
        rows = (
            one_round(number, round_id=round_id, run_id="01JRUN", started=NOW - timedelta(minutes=20 - 6 * number))
            for number, round_id in enumerate((FIRST, SECOND, THIRD))
        )
        self.views["rounds"] = Rounds(tuple(rows), False, "3 rounds.")

    def answer(self, call: Callable[[Backend], object], *, fresh: bool = False) -> object:
        return call(self)

    def trace_link(self, trace_id: str) -> str:
        return self.link and f"{self.link}/{trace_id}"

    timezone = "UTC"

    def query(self, text: str, values: dict, types: dict) -> QueryResult:
        if self.asks_the_store or "ai_events" not in text:
            return self.backend.query(text, values, types)
        if self.prompts is None:
            raise LoopdeskError("The table ai_events is not here")
        columns = ("uuid", "event", "input", "output", "output_choices", "input_state", "output_state", "tools")
        rows = tuple((values["uuids"][0], "$ai_generation", *found) for found in self.prompts)
        return QueryResult(columns, ("String",) * 8, rows, "UTC", "posthog", NOW)


def put(folder: Path, events: list[dict]) -> None:
    store = Store.open(folder / "events.db")
    assert not store.ingest(events, now=NOW).rejected
    store.close()


def three_rounds(folder: Path) -> Path:
    """A workspace with them."""
    folder.mkdir(mode=0o700)
    rounds = ((FIRST, 0.0, 0.72), (SECOND, 360.0, 0.75), (THIRD, 720.0, 0.74))
    put(folder, [one for round_id, start, score in rounds for one in events_of(round_id, start, score)])
    return folder
