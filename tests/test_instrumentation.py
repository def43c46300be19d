"""`loopdesk posthog check`: the mistakes that make boards wrong, found in what was really stored."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from queries.instrumentation import NOTE, OK, WRONG, Finding, look
from queries.limiter import Limiter, account
from queries.local.backend import LocalBackend
from queries.local.store import Store
from queries.remote_exchange import Exchanges
from queries.remote_http import Transport
from queries.rest import RemoteRest
from queries.scopes import scopes
from tests.events import event
from tests.posthog_double import Double, Received, Scripted, json_answer, refusal
from tui.commands.cli import Context
from tui.commands.posthog import command
from workspace.errors import LoopdeskError

AT = datetime.now(UTC) - timedelta(hours=2)
IDS = {"run_id": "01JDK0000000000000000000R1", "round_id": "01JDK0000000000000000000A1"}
GOOD = [
    event("round_started", at=AT, diff_lines=3, **IDS),
    event("proposal_generated", at=AT, cost_usd=0.02, **IDS),
    event("round_scored", at=AT, score=0.5, dim_tone=0.25, score_goal="max", **IDS),
    event("round_kept", at=AT, delta=0.1, cost_usd=0.05, **IDS),
    event("stop_triggered", at=AT, total_cost_usd=0.05, run_id=IDS["run_id"]),
]


@pytest.fixture
def looked(tmp_path: Path):
    def of(*wire: dict):
        tmp_path.joinpath("w").mkdir(mode=0o700, exist_ok=True)
        path = tmp_path / "w" / "events.db"
        store = Store.open(path)
        assert not store.ingest(list(wire)).rejected
        store.close()
        backend = LocalBackend(path)
        found = look(backend)
        backend.close()
        return found

    return of


def wrong(found) -> list[Finding]:
    return [one for one in found.findings if one.state == WRONG]


def test_a_loop_that_does_it_right_has_nothing_wrong(looked):
    found = looked(*GOOD)
    assert not wrong(found) and {one.state for one in found.findings} == {OK}
    assert {(one.event, one.project, one.events) for one in found.counts} >= {("round_kept", "autoagent", 1)}


def test_a_store_in_which_no_loop_sent_anything_is_wrong(looked):
    assert wrong(looked(event("pageview", at=AT)))


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (event("round_scored", at=AT, score="0.71", **IDS), ("round_scored.score", "text")),
        (event("round_scored", at=AT, score=0.1, dim_tone="good", **IDS), ("dim_tone", "text")),
        (event("round_scored", at=AT, score=True, **IDS), ("score", "true or false")),
        (event("round_scored", at=AT, score=1, score_goal="higher", **IDS), ("score_goal", "higher")),
        (event("round_reverted", at=AT, cost_usd="$0.042", round_id="r2", run_id="x"), ("cost_usd", "money")),
        (event("round_reverted", at=AT, cost_usd="-US$1,042.50", round_id="r2", run_id="x"), ("cost_usd", "money")),
        (event("step.tool_returned", at=AT, latency_ms="12 ms", **IDS), ("step.tool_returned.latency_ms", "text")),
        (event("step.plan", at=AT, run_id="x"), ("step.plan", "round_id")),
        (event("step.plan", at=AT, round_id="r2"), ("step.plan", "run_id")),
        (event("round_scored", at=AT, score=1, round_id="r2"), ("run_id",)),
        (event("round_scored", at=AT, score=1, run_id="x"), ("round_id",)),
        (event("round_scored", at=AT, score=1, **IDS) | {"distinct_id": "someone@example.invalid"}, ("distinct ids",)),
        (event("round_reverted", at=AT, cost_usd=0.05, **IDS), ("1 round", "more than once")),
        (event("stop_triggered", at=AT, total_cost_usd=0.07, run_id=IDS["run_id"]), ("total_cost_usd", "together")),
        (event("proposal_generated", at=AT, key=2, cost_usd=0.09, **IDS), ("less than the proposal",)),
    ],
)
def test_one_mistake_is_one_sentence(looked, sent, words):
    found = wrong(looked(*GOOD, sent))
    assert len(found) == 1 and all(word in found[0].said for word in words), found
    assert found[0].do


def test_a_quiet_loops_mistake_is_found_among_the_many_events_of_another(looked):
    many = [
        event("round_scored", at=AT + timedelta(seconds=number), key=number, score=0.5, **IDS) for number in range(200)
    ]
    quiet = event("round_scored", at=AT - timedelta(hours=1), project="quiet", score="0.5", **IDS)
    found = wrong(looked(*GOOD, *many, quiet | {"distinct_id": "quiet:internal:planner"}))
    assert [one.said for one in found if "round_scored.score" in one.said]


def test_the_engines_own_events_are_no_loops(looked):
    own = [event("step.tool_called", at=AT, project="loopdesk", tool="read")]
    assert not wrong(looked(*GOOD, *own))
    assert [one.said for one in wrong(looked(event("step.plan", at=AT, project="", key=1)))]


def test_two_sources_of_one_cost_are_a_note(looked):
    calls = [event("token_machine.request", at=AT, cost_usd=0.1), event("$ai_generation", at=AT, **{"$ai_model": "m"})]
    found = looked(*GOOD, *calls)
    assert not wrong(found) and [one for one in found.findings if one.state == NOTE]


def test_words_of_events_are_made_safe_to_show(looked):
    (found,) = wrong(looked(*GOOD, event("round_scored", at=AT, score="\x1b]0;pwned\x07\u202ehigh", **IDS)))
    assert found.said.isprintable() and "\u202e" not in found.said


def posthog(missing: set[str]):
    names = {"annotations": "annotation", "dashboards": "dashboard", "insights": "insight"}
    names |= {"feature_flags": "feature_flag", "experiments": "experiment", "signals": "task"}

    def answering(received: Received) -> Scripted | None:
        kind = received.path.split("/")[4]
        scope = f"{names[kind]}:{'read' if received.method == 'GET' else 'write'}"
        if scope in missing:
            said = f"API key missing required scope '{scope}'"
            return refusal(403, said, "authentication_error", "permission_denied")
        return json_answer({"results": [], "next": None}) if received.method == "GET" else None

    return answering


def test_scopes_are_found_out_without_changing_anything(tmp_path):
    missing = {"dashboard:write", "experiment:read"}
    with Double([], posthog(missing)).running() as double:
        key = "phx_" + "s3cret" * 6
        limiter = Limiter(tmp_path / "limits")
        rest = RemoteRest(
            Exchanges(Transport(double.url, key), limiter, account(double.url, key), "7", pause=lambda _: None)
        )
        found = scopes(rest)
    assert {one.scope.name for one in found if one.has is False} == missing
    assert all(one.has for one in found if one.scope.name not in missing)
    changes = [(one.method, one.path.split("/")[-2]) for one in double.received if one.method != "GET"]
    assert changes and all(method == "PATCH" and set(id) <= {"0", "-"} for method, id in changes)


def test_the_command_says_so_and_ends_with_1(tmp_path):
    root = tmp_path / "workspace"
    root.mkdir(mode=0o700)
    settings = Context.of({"workspace_dir": str(root), "backend": "embedded"})
    with pytest.raises(LoopdeskError):
        CliRunner().invoke(command, ["check"], obj=settings, catch_exceptions=False)
    store = Store.open(root / "events.db")
    for wire, code in ((GOOD, 0), ([event("round_scored", at=AT, score="x", **IDS)], 1)):
        store.ingest(wire)
        done = CliRunner().invoke(command, ["check", "--json"], obj=settings, standalone_mode=False)
        assert done.return_value == code and json.loads(done.stdout)["ok"] is (code == 0)
    store.close()


def test_a_posthog_is_checked_over_http(serve, tmp_path, monkeypatch):
    monkeypatch.setenv("LOOPDESK_STATE_DIR", str(tmp_path / "state"))
    served = serve()
    store = Store.open(served.events_db)
    store.ingest([*GOOD, event("round_scored", at=AT, score="$1", **IDS)])
    store.close()
    settings = {"posthog_host": served.url, "posthog_personal_key": served.personal_key, "backend": "posthog"}
    done = CliRunner().invoke(command, ["check", "--json"], obj=Context.of(settings), standalone_mode=False)
    document = json.loads(done.stdout)
    assert done.return_value == 1
    assert [one["said"] for one in document["findings"] if one["state"] == WRONG]
    assert {"event": "round_kept", "project": "autoagent", "events": 1} in document["events"]
    assert any("annotation:write" in one["said"] for one in document["findings"] if one["state"] == OK)
