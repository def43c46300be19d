"""Which round is meant, and its events out of a real store: by pages, by the beginning of an id, and while it runs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from queries import traces
from queries.backend import QueryResult
from queries.local.backend import LocalBackend
from queries.local.store import Store
from queries.views.trace import rows
from queries.views.trace.conversation import conversation
from queries.views.trace.tree import KINDS
from tests.conftest import NOW
from tests.events import event
from workspace.errors import LoopdeskError

ROOT = Path(__file__).resolve().parents[1]
ROUND, OTHER, RUN = "01JTRACE00000000000000000A", "01JTRACE00000000000000000B", "01JRUN"


def told(name: str, seconds: float, round_id: str = ROUND, **properties: object) -> dict:
    at = NOW - timedelta(hours=2) + timedelta(seconds=seconds)
    return event(name, at=at, round_id=round_id, run_id=RUN, agent="coder", **properties)


def one_round(round_id: str = ROUND, start: float = 0.0) -> list[dict]:
    call = {"$ai_trace_id": round_id, "$ai_span_id": f"G{round_id}", "$ai_parent_id": "S1", "$ai_model": "sonnet"}
    call |= {"$ai_input_tokens": 100, "$ai_output_tokens": 20, "$ai_total_cost_usd": 0.02, "$ai_latency": 1.5}
    call |= {"$ai_input": [{"role": "user", "content": "What next?"}], "$ai_output_choices": [{"content": "Less."}]}
    steps = [
        ("round_started", {"baseline_score": 0.7, "model": "sonnet"}),
        ("$ai_generation", call),
        ("step.plan", {"step_id": "S1", "plan": "try less"}),
        ("step.tool_called", {"step_id": "S2", "tool": "train", "args_json": '{"n": 1}'}),
        ("step.tool_returned", {"step_id": "S2", "tool": "train", "ok": True, "latency_ms": 900}),
        ("round_scored", {"score": 0.72, "score_goal": "max", "dim_tone": 0.8, "dim_reach": 0.4}),
        ("round_kept", {"delta": 0.02, "cost_usd": 0.03}),
    ]
    return [told(name, start + 2 * place, round_id, **given) for place, (name, given) in enumerate(steps)]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir(mode=0o700)
    put(folder, [*one_round(), *one_round(OTHER, 600)])
    return folder


def put(folder: Path, events: list[dict]) -> None:
    store = Store.open(folder / "events.db")
    assert not store.ingest(events, now=NOW).rejected
    store.close()


@pytest.fixture
def backend(workspace: Path) -> Iterator[LocalBackend]:
    made = LocalBackend(workspace / "events.db", "Europe/Berlin", now=lambda: NOW)
    yield made
    made.close()


def labels(trace: traces.Trace) -> list[str]:
    return [rows.label(trace.tree, number) for number in range(len(trace.tree))]


def test_a_round_is_found_by_its_id_by_its_beginning_and_by_a_trace_id(backend: LocalBackend):
    put(backend.path.parent, [told("$ai_generation", 5, **{"$ai_trace_id": "own-trace", "$ai_model": "opus"})])
    for text in (ROUND, ROUND[:26], "own-trace", " own-tr"):
        assert traces.find(backend, text, NOW).trace_id == ROUND
    assert traces.find(backend, "01JTRACE00000000000000000B", NOW).trace_id == OTHER


def test_a_trace_without_a_round_is_found_by_its_trace_id(backend: LocalBackend):
    alone = event("$ai_generation", at=NOW, **{"$ai_trace_id": "lonely", "$ai_model": "opus"})
    put(backend.path.parent, [alone])
    trace = traces.load(backend, traces.find(backend, "lone", NOW), NOW)
    assert labels(trace) == ["round lonely", "opus"]


def test_a_beginning_of_several_ids_names_them(backend: LocalBackend):
    with pytest.raises(LoopdeskError, match=f"More than one round begins with 01JTR: .*{OTHER} and {ROUND}"):
        traces.find(backend, "01JTR", NOW)


@pytest.mark.parametrize("text", ["nothing", "'; DROP TABLE events --", "%", "\\"])
def test_an_id_that_is_not_there_is_a_sentence(backend: LocalBackend, text: str):
    with pytest.raises(LoopdeskError, match="There is no round or trace"):
        traces.find(backend, text, NOW)


def test_a_trace_is_the_rounds_tree_with_what_it_came_to(backend: LocalBackend):
    trace = traces.load(backend, traces.find(backend, ROUND, NOW), NOW)
    assert labels(trace) == [
        f"round {ROUND}  sonnet  baseline 0.700",
        "try less",
        "sonnet",
        'train  {"n": 1}',
        "scored 0.720",
        "kept  +0.020",
    ]
    assert trace.account.verdict == "Kept, score 0.720 (+0.020 better), $0.030 by the round's end, 7 events."
    assert trace.word("run_id") == RUN and trace.is_whole and trace.backend == "embedded"


def test_pages_are_whole_seconds_that_cover_the_trace_once():
    since = NOW - timedelta(hours=1)
    extent = traces.Extent("T", traces.Span(since, NOW), 100_000)
    found = traces.pages(extent)
    assert found[0].since == since and found[-1].until == NOW
    assert all(one.until == other.since for one, other in pairwise(found))
    assert not any(page.since.microsecond or page.until.microsecond for page in found)
    assert len(found) == -(-100_000 // traces.PAGE) + 1


def test_pages_together_hold_what_one_holds(backend: LocalBackend, monkeypatch: pytest.MonkeyPatch):
    whole = traces.load(backend, traces.find(backend, ROUND, NOW), NOW)
    monkeypatch.setattr(traces, "PAGE", 2)
    monkeypatch.setattr(traces, "FIRST_PAGE", 1)
    found = list(traces.parts(backend, traces.find(backend, ROUND, NOW), NOW))
    assert [part.is_whole for part in found] == [False, True]
    assert labels(found[-1]) == labels(whole)


@pytest.mark.parametrize("page", [traces.PAGE, 3])
def test_what_arrives_is_added_once(backend: LocalBackend, monkeypatch: pytest.MonkeyPatch, page: int):
    monkeypatch.setattr(traces, "PAGE", page)
    before = traces.load(backend, traces.find(backend, ROUND, NOW), NOW)
    put(backend.path.parent, [told("step.reflection", 11.5, step_id="S9", verdict="keep"), *one_round()])
    after = traces.more(backend, before, NOW)
    assert [label for label in labels(after) if label not in labels(before)] == ["keep"]
    assert after.tree.duplicates == 0 and after.account.events == 8


def test_an_event_is_told_in_full(backend: LocalBackend):
    trace = traces.load(backend, traces.find(backend, ROUND, NOW), NOW)
    tool = next(n for n in range(len(trace.tree)) if KINDS[trace.tree.kind[n]] == "tool")
    called, returned = traces.said(backend, trace, trace.tree.places(tool))
    assert (called.event, returned.event) == ("step.tool_called", "step.tool_returned")
    assert called.properties["args_json"] == '{"n": 1}' and called.distinct_id == "autoagent:internal:coder"
    assert traces.said(backend, trace, ()) == ()


class Answering:
    """A backend that answers one question itself, as PostHog's `ai_events` would."""

    timezone = "UTC"
    name = "posthog"

    def __init__(self, inner: LocalBackend, *found: tuple) -> None:
        self._inner, self._found = inner, found
        self.asked: list[dict] = []

    def query(self, text: str, values: dict, types: dict) -> QueryResult:
        if "ai_events" not in text:
            return self._inner.query(text, values, types)
        self.asked.append(values)
        columns = ("uuid", "event", "input", "output", "output_choices", "input_state", "output_state", "tools")
        return QueryResult(columns, ("String",) * 8, self._found, "UTC", self.name, NOW)

    def close(self) -> None: ...


def generation(backend: LocalBackend, now: datetime = NOW) -> tuple[traces.Trace, tuple[traces.Said, ...]]:
    trace = traces.load(backend, traces.find(backend, ROUND, now), now)
    row = next(n for n in range(len(trace.tree)) if KINDS[trace.tree.kind[n]] == "generation")
    return trace, traces.said(backend, trace, trace.tree.places(row))


def test_other_events_have_no_conversation(backend: LocalBackend):
    trace = traces.load(backend, traces.find(backend, ROUND, NOW), NOW)
    assert traces.conversations(backend, trace, traces.said(backend, trace, (0,)), NOW) == {}


def test_neighbours_are_the_rounds_of_the_run_in_time(backend: LocalBackend):
    trace = traces.load(backend, traces.find(backend, OTHER, NOW), NOW)
    assert [row.round_id for row in traces.rounds_of_run(backend, trace)] == [ROUND, OTHER]


def test_a_side_of_a_comparison_knows_its_dimensions_and_its_plan(backend: LocalBackend):
    side = traces.one_side(backend, traces.load(backend, traces.find(backend, ROUND, NOW), NOW))
    assert side.dimensions == {"tone": 0.8, "reach": 0.4}
    assert ("plan", "try less") in side.proposed and side.calls == 1 and side.cost_usd == 0.03


def test_a_link_holds_an_id_of_any_form():
    assert traces.trace_link("https://us.posthog.com/", "7", "a/b?") == (
        "https://us.posthog.com/project/7/llm-analytics/traces/a%2Fb%3F"
    )
    assert traces.trace_link("https://eu.posthog.com", "", "T") == "https://eu.posthog.com/llm-analytics/traces/T"


# Conversations


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"input": '[{"role":"user","content":"hi"}]', "output_choices": '[{"role":"assistant","content":"ho"}]'},
         [("user", "hi"), ("assistant", "ho")]),
        ({"input": '[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]'},
         [("user", "a\nb")]),
        ({"output_choices": '{"choices":[{"message":{"role":"assistant","content":"x"}}]}'}, [("assistant", "x")]),
        ({"input": "not json at all"}, [("user", "not json at all")]),
        ({"input": None, "output": "", "output_choices": "null"}, []),
        ({"input_state": '{"question": 1}'}, [("user", '{\n  "question": 1\n}')]),
        ({"output_choices": '[{"role":"assistant","content":[{"type":"tool_use","name":"grep","input":{"q":1}}]}]'},
         [("assistant", '[calls grep] {\n  "q": 1\n}')]),
        ({"output_choices": '[{"message":{"tool_calls":[{"function":{"name":"f","arguments":"{\\"a\\":2}"}}]}}]'},
         [("assistant", '[calls f] {\n  "a": 2\n}')]),
        ({"input": '[{"role":"tool","content":[{"type":"tool_result","content":"42"}]}]'}, [("tool", "[result] 42")]),
        ({"input": '[1, null, ["x"]]'}, [("user", "1"), ("user", "null"), ("user", "x")]),
    ],
)  # fmt: skip
def test_a_payload_is_read_as_a_conversation_whatever_its_form(payload: dict, said: list[tuple[str, str]]):
    found = conversation(payload)
    assert [(turn.role, turn.text) for turn in (*found.prompt, *found.answer)] == said


def test_a_turn_of_ten_megabytes_is_cut_and_says_by_how_much():
    found = conversation({"input": json.dumps([{"role": "user", "content": "x" * 10_000_000}])})
    assert len(found.prompt[0].text) == 200_000 and found.prompt[0].left_out == 9_800_000


def test_offered_tools_are_named():
    tools = [{"name": "grep"}, {"type": "function", "function": {"name": "ls"}}, {"type": "web_search"}]
    assert conversation({"tools": json.dumps(tools)}).tools == ("grep", "ls", "web_search")


# loopdesk trace


def run(workspace: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tui.main", "trace", "--workspace", str(workspace), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.fixture
def today(tmp_path: Path) -> Path:
    """A workspace whose round was two hours ago by the clock of this machine."""

    folder = tmp_path / "today"
    folder.mkdir(mode=0o700)
    moved = datetime.now(UTC) - NOW
    events = one_round()
    for one in events:
        one["timestamp"] = (datetime.fromisoformat(one["timestamp"]) + moved).isoformat()
    store = Store.open(folder / "events.db")
    store.ingest(events)
    store.close()
    return folder


def test_the_command_prints_the_tree_without_colour(today: Path):
    done = run(today, ROUND[:10])
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Kept, score 0.720") and len(lines) == 7
    assert "\x1b" not in done.stdout
    assert lines[3].split()[2:4] == ["generation", "sonnet"]


def test_the_command_prints_one_json_document(today: Path):
    document = json.loads(run(today, ROUND, "--json", "--depth", "1").stdout)
    assert document["trace_id"] == ROUND and document["outcome"] == "kept"
    assert [row["kind"] for row in document["rows"]] == ["round", "plan", "tool", "round", "round"]
    assert [one["event"] for one in document["rows"][2]["events"]] == ["step.tool_called", "step.tool_returned"]


def test_the_command_prints_markdown(today: Path):
    lines = run(today, ROUND, "--markdown").stdout.splitlines()
    assert lines[0] == f"# Round {ROUND}"
    assert lines[4].startswith("| offset | kind | what |") and len(lines) == 12


def test_the_command_fails_with_a_sentence(today: Path):
    for arguments in (("nothing",), (ROUND, "--json", "--markdown")):
        done = run(today, *arguments)
        assert done.returncode != 0 and not done.stdout
        assert done.stderr.startswith("loopdesk: ") and "Traceback" not in done.stderr
