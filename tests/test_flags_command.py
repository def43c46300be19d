"""`loopdesk flags`: listed, changed after a yes, and compared round by round, on the workspace's own store."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner

from queries.local.store import Store
from queries.rest import open_rest
from tests.rest_calls import EVERYONE, HALVES
from tui.commands.cli import Context
from tui.commands.flags import command
from workspace.errors import LoopdeskError


@pytest.fixture
def context(tmp_path: Path) -> Context:
    root = tmp_path / "workspace"
    root.mkdir(mode=0o700)
    store = Store.open(root / "events.db")
    now = datetime.now(UTC)
    scored = [
        {
            "event": "round_scored",
            "distinct_id": "autoagent:acme:critic",
            "timestamp": (now - timedelta(days=2, minutes=5 * place)).isoformat(),
            "uuid": str(UUID(int=place + 1)),
            "properties": {
                "project": "autoagent",
                "client": "acme",
                "agent": "critic",
                "round_id": f"round-{place}",
                "score": 0.8 + 0.001 * place + (0.1 if place % 2 else 0),
                "$feature/scorer_v2": "test" if place % 2 else "control",
            },
        }
        for place in range(24)
    ]
    assert store.ingest(scored, now=now).rejected == ()
    store.close()
    made = Context.of({"workspace_dir": str(root), "backend": "embedded"})
    filters = {**EVERYONE, "multivariate": HALVES}
    open_rest(made.config).ask("POST", "feature_flags/", {"key": "scorer_v2", "filters": filters, "active": False})
    return made


def run(context: Context, *arguments: str) -> str:
    done = CliRunner().invoke(command, arguments, obj=context)
    if done.exception is not None:
        raise done.exception
    return done.stdout


def listed(context: Context) -> dict:
    (flag,) = json.loads(run(context, "--json"))
    return flag


def test_they_are_listed_by_that_word_too_and_no_option_is_passed_over(context: Context):
    assert run(context, "list", "--json") == run(context, "--json")
    for odd in (["experiment"], ["--json", "list"]):
        with pytest.raises((LoopdeskError, SystemExit)):
            run(context, *odd)
    with pytest.raises(LoopdeskError, match="either"):
        run(context, "compare", "scorer_v2", "--rounds", "20", "--effect", "0.1")


def test_a_flag_is_switched_and_rolled_out_after_a_yes(context: Context):
    assert "scorer_v2" in run(context) and listed(context)["is_on"] is False
    assert "off → on" in run(context, "on", "scorer_v2", "--yes")
    assert "100 % → 20 %" in run(context, "rollout", "scorer_v2", "20", "--yes")
    assert (listed(context)["is_on"], listed(context)["rollout"]) == (True, 20)
    run(context, "off", "scorer_v2", "--yes")
    assert listed(context)["is_on"] is False


def test_without_a_yes_nothing_is_sent(context: Context):
    with pytest.raises(LoopdeskError, match="Nobody is there"):
        run(context, "on", "scorer_v2")
    assert listed(context)["is_on"] is False


def test_variants_are_compared_by_round(context: Context):
    found = json.loads(run(context, "compare", "scorer_v2", "--rounds", "12", "--json"))
    (one,) = found["compared"]
    assert one["rounds"] == [12, 12] and one["is_better"] is True and one["missing"] == 0
    shown = run(context, "compare", "scorer_v2", "--rounds", "12")
    assert "better" in shown and "by ranks" in shown
    assert "No scored round" in run(context, "compare", "another")


def test_an_experiment_is_started_compared_by_its_plan_and_ended(context: Context):
    with pytest.raises(LoopdeskError, match="one plan"):
        run(context, "experiment", "start", "scorer_v2", "--yes")
    with pytest.raises(LoopdeskError, match="between 8"):
        run(context, "experiment", "start", "scorer_v2", "--rounds", "3", "--yes")
    with pytest.raises(LoopdeskError, match="Nobody is there"):
        run(context, "experiment", "start", "scorer_v2", "--rounds", "12")
    with pytest.raises(LoopdeskError, match="No experiment runs"):
        run(context, "experiment", "end", "scorer_v2", "--yes")
    assert "12 scored rounds of each variant" in run(
        context, "experiment", "start", "scorer_v2", "--rounds", "12", "--yes"
    )
    (one,) = json.loads(run(context, "experiment", "list", "--json"))
    assert (one["flag"], one["state"], one["plan"]["rounds"]) == ("scorer_v2", "running", 12)
    assert "scorer_v2" in run(context, "experiment", "list")
    found = json.loads(run(context, "compare", "scorer_v2", "--json"))
    assert found["plan"] == {"rounds": 12, "effect": None, "experiment": one["id"]}
    # The rounds that were before it do not count.
    assert found["since"] == one["started_at"] and found["distributions"] == []
    found = json.loads(run(context, "compare", "scorer_v2", "--days", "30", "--json"))
    assert found["compared"][0]["needed"] == 12 and found["compared"][0]["missing"] == 0
    assert "planned over 12" in run(context, "compare", "scorer_v2")
    run(context, "experiment", "end", "scorer_v2", "--yes")
    assert json.loads(run(context, "experiment", "list", "--json"))[0]["state"] == "ended"


def test_which_rounds_saw_which_variant(context: Context):
    found = json.loads(run(context, "rounds", "scorer_v2", "--json"))
    assert {row["round_id"]: row["variant"] for row in found} == {
        f"round-{place}": "test" if place % 2 else "control" for place in range(24)
    }
    lines = run(context, "rounds", "scorer_v2", "--project", "autoagent", "--client", "acme").splitlines()
    assert len(lines) == 24 and lines[0].split()[:2] == ["round-0", "control"] and "autoagent/acme" in lines[0]
    assert json.loads(run(context, "rounds", "scorer_v2", "--client", "other", "--json")) == []


def test_a_known_knob_is_made_once_and_shown_with_its_meaning(context: Context):
    assert "flags create nightly_budget_20usd" in run(context)
    with pytest.raises(LoopdeskError, match="Nobody is there"):
        run(context, "create", "nightly_budget_20usd")
    with pytest.raises(LoopdeskError, match="no knob that loopdesk knows"):
        run(context, "create", "nightly_bugdet", "--yes")
    assert '{"usd": 20}' in run(context, "create", "nightly_budget_20usd", "--yes")
    assert "already" in run(context, "create", "nightly_budget_20usd", "--yes")
    assert "$20 → $15" in run(context, "budget", "nightly_budget_20usd", "15", "--yes")
    flags = {flag["key"]: flag for flag in json.loads(run(context, "--json"))}
    assert flags["nightly_budget_20usd"]["usd"] == 15 and flags["nightly_budget_20usd"]["kind"] == "budget"
    assert flags["scorer_v2"]["description"] == context.config.knobs["scorer_v2"].description
    shown = run(context)
    assert "$15" in shown and flags["scorer_v2"]["description"] in shown
    assert "flags create nightly_budget_20usd" not in shown
