"""A run as events in the embedded store: counted on the boards under the engine's own project, and read as a trace."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from engine.agents.protocol import Answer
from engine.judge import Unavailable
from engine.own_events import own_events
from engine.sandbox.bubblewrap import Bubblewrap
from queries import traces
from queries.local.backend import LocalBackend
from queries.views.trace.account import account
from queries.views.trace.detail import Said
from queries.views.trace.rows import row
from tests.agent_api import OUTPUT_TOKENS, USAGE, agent_api, answers, calls, says
from tests.agent_bench import GOOD, SYSTEM, Bench
from tests.conftest import NOW
from tests.jails import jails
from tests.messages_api import MessagesApi, fails

LATER = NOW + timedelta(minutes=1)
LONG = "canary-of-the-file " * 50


@pytest.fixture(scope="module")
def sandbox() -> Bubblewrap:
    return jails()


@pytest.fixture
def bench(sandbox: Bubblewrap, tmp_path: Path) -> Bench:
    return Bench(sandbox, tmp_path)


async def told(bench: Bench, api: MessagesApi) -> tuple[Answer, list[Said], traces.Trace]:
    (bench.folder / "clone").mkdir()
    bench.events = own_events(bench.config(api.url), pytest.fail)
    try:
        answer = await bench.asks(api, clone=bench.folder / "clone", may_write=True)
    finally:
        bench.events.close()
    backend = LocalBackend(bench.folder / "events.db", now=lambda: LATER)
    trace = traces.load(backend, traces.find(backend, answer.trace, LATER), LATER)
    said = list(traces.said(backend, trace, range(len(trace.tree.events))))
    return answer, said, trace


async def test_a_run_is_a_trace_of_the_engines_own_project(bench: Bench):
    turns = [says("Now.") + calls("Write", file_path="/jail/clone/a", content=LONG), calls("Nothing"), answers(GOOD)]
    with agent_api({SYSTEM: turns}) as api:
        answer, said, trace = await told(bench, api)
    shown = [row(trace.tree, number) for number in range(len(trace.tree))]
    assert Counter(one.kind for one in shown) == {"round": 2, "generation": 3, "tool": 3}
    assert account(trace.tree).outcome == "ended"
    assert Counter(one.marks for one in shown if one.kind == "tool") == {("ok",): 2, ("failed",): 1}
    generations = [one.properties for one in said if one.event == "$ai_generation"]
    assert len(generations) == 3
    first = generations[0]
    assert (first["project"], first["agent"]) == ("loopdesk", "research")
    assert first["$ai_input_tokens"] == USAGE["input_tokens"] and first["$ai_output_tokens"] == OUTPUT_TOKENS
    assert sum(one["$ai_total_cost_usd"] for one in generations) == pytest.approx(answer.cost_usd)  # type: ignore[misc]
    called = [one.properties for one in said if one.event == "step.tool_called"]
    returned = {one.properties["step_id"]: one.properties for one in said if one.event == "step.tool_returned"}
    assert [one["tool"] for one in called] == ["Write", "Nothing", "StructuredOutput"]
    assert [returned[one["step_id"]]["ok"] for one in called] == [True, False, True]
    # What was said and written stays at home.
    assert json.loads(str(called[0]["args_json"]))["file_path"] == "a"
    assert "canary" not in json.dumps([one.properties for one in said])


async def test_prompts_are_told_where_the_owner_records_them(bench: Bench):
    bench.models = {"record_prompts": True}
    with agent_api({SYSTEM: [says("It is fine.") + calls("Bash", command="ls"), answers(GOOD)]}) as api:
        _, said, trace = await told(bench, api)
    backend = LocalBackend(bench.folder / "events.db", now=lambda: LATER)
    talks = traces.conversations(backend, trace, said, LATER)
    text = str(talks)
    assert "Judge it." in text and "It is fine." in text and "verdict" in text


async def test_a_model_that_cannot_be_had_holds_the_work_and_its_call_is_told(bench: Bench):
    with agent_api({SYSTEM: [fails(401, "the-real-key is wrong")]}) as api, pytest.raises(Unavailable) as raised:
        await told(bench, api)
    assert raised.value.retry_at is not None and raised.value.retry_at > NOW
    assert "the-real-key" not in str(raised.value)
    backend = LocalBackend(bench.folder / "events.db", now=lambda: LATER)
    found = backend.query("SELECT properties FROM events WHERE event = '$ai_generation' LIMIT 10", {})
    (failed,) = [json.loads(row[0]) for row in found.rows]
    assert failed["$ai_is_error"] is True and failed["$ai_http_status"] == 401
    assert "the-real-key" not in str(failed)
