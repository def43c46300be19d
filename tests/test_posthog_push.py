"""`loopdesk posthog push`: the boards inside PostHog, made once, brought up to date, and nothing else touched."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner

from queries.limiter import Limiter, account
from queries.posthog_boards.boards import boards
from queries.posthog_boards.pushing import CHANGE, KEEP, MAKE, existing, plan, push
from queries.remote_http import Transport
from queries.rest import RemoteRest
from tests.posthog_double import Double, Received, Scripted, json_answer, refusal, rows
from tui.commands.cli import Context
from tui.commands.posthog import command
from workspace.errors import LoopdeskError

KEY = "phx_" + "s3cret" * 6
WANTED = boards(["dim_tone", "dim_clarity"])


class Project:
    """Dashboards and insights as PostHog keeps them: it adds defaults to queries, and some plans drop tags."""

    def __init__(self, *, keeps_tags: bool = True, fails_after: int | None = None) -> None:
        self.kept: dict[str, dict[int, dict]] = {"dashboards": {}, "insights": {}}
        self.keeps_tags, self.fails_after = keeps_tags, fails_after
        self.writes = 0

    def __call__(self, received: Received) -> Scripted | None:
        parts = urlsplit(received.path)
        _, _, _, _, kind, *rest = parts.path.split("/")
        if kind == "query":
            columns = ["bucket", "project", "client", "dim", "average", "rounds"]
            return rows(["2026-11-20", "p", "c", "dim_tone", 0.5, 3], columns=columns)
        kept = self.kept[kind]
        if received.method == "GET":
            search = parse_qs(parts.query).get("search", [""])[0]
            return json_answer({"results": [one for one in kept.values() if search in json.dumps(one)], "next": None})
        self.writes += 1
        if self.fails_after is not None and self.writes > self.fails_after:
            return refusal(403, "API key missing required scope 'insight:write'", "authentication_error")
        body = copy.deepcopy(received.body or {})
        if not self.keeps_tags:
            body.pop("tags", None)
        if "query" in body:
            body["query"]["source"]["version"] = 2
        if received.method == "POST":
            id = len(kept) + 1
            kept[id] = {"id": id, **body}
            return json_answer(kept[id], 201)
        kept[int(rest[0])] |= body
        return json_answer(kept[int(rest[0])])


@pytest.fixture
def connected(tmp_path: Path):
    running = []

    def start(project: Project) -> tuple[RemoteRest, Double]:
        context = Double([], project).running()
        double = context.__enter__()
        rest = RemoteRest(
            Transport(double.url, KEY),
            Limiter(tmp_path / "limits"),
            account(double.url, KEY),
            "7",
            pause=lambda _: None,
        )
        running.append((context, rest))
        return rest, double

    yield start
    for context, rest in running:
        rest.close()
        context.__exit__(None, None, None)


def pushed(rest: RemoteRest, wanted=WANTED) -> list[str]:
    return [step.action for step in push(rest, wanted, existing(rest))]


def test_a_funnel_counts_rounds_and_cost_is_counted_once():
    by_key = {board.key: json.dumps(board.query) for board in WANTED}
    assert len(by_key) == 6 and '"funnelAggregateByHogQL": "properties.round_id"' in by_key["round_funnel"]
    assert "proposal_generated" not in by_key["cost_per_kept"]
    assert by_key["dimension_heatmap"].count('"math_property": "dim_') == 2
    assert len(boards([])) == 5


@pytest.mark.parametrize("keeps_tags", [True, False])
def test_a_second_push_finds_nothing_to_do(connected, keeps_tags):
    project = Project(keeps_tags=keeps_tags)
    rest, _ = connected(project)
    assert pushed(rest) == [MAKE] * 7
    before = copy.deepcopy(project.kept)
    assert pushed(rest) == [KEEP] * 7
    assert project.kept == before and len(project.kept["insights"]) == 6


def test_a_half_made_dashboard_is_finished(connected):
    project = Project(fails_after=3)
    rest, _ = connected(project)
    with pytest.raises(LoopdeskError, match="insight:write"):
        pushed(rest)
    project.fails_after = None
    assert pushed(rest) == [KEEP] * 3 + [MAKE] * 4
    assert {tuple(one["dashboards"]) for one in project.kept["insights"].values()} == {(1,)}


def test_what_others_made_or_changed_stays(connected):
    project = Project()
    project.kept["dashboards"][1] = {"id": 1, "name": "Overnight loops", "description": "mine, not loopdesk's"}
    project.kept["insights"][1] = {"id": 1, "name": "Round funnel", "description": "about loopdesk", "query": {}}
    theirs = copy.deepcopy(project.kept)
    rest, _ = connected(project)
    pushed(rest)
    project.kept["insights"][3]["name"] = "Our name"
    project.kept["insights"][3]["dashboards"].append(99)
    project.kept["insights"][3]["query"] = {}
    assert pushed(rest).count(CHANGE) == 1
    assert (project.kept["insights"][3]["name"], project.kept["insights"][3]["dashboards"]) == ("Our name", [2, 99])
    assert all(project.kept[kind][1] == theirs[kind][1] for kind in theirs)


def test_a_new_dimension_changes_one_board(connected):
    rest, _ = connected(Project())
    pushed(rest)
    steps = plan(boards(["dim_tone", "dim_clarity", "dim_depth"]), existing(rest))
    assert [step.key for step in steps if step.action != KEEP] == ["dimension_heatmap"]


def test_the_command_shows_first_and_does_it_with_yes(connected, monkeypatch, tmp_path):
    monkeypatch.setenv("LOOPDESK_STATE_DIR", str(tmp_path / "state"))
    project = Project()
    _, double = connected(project)
    settings = {
        "posthog_host": double.url,
        "posthog_personal_key": KEY,
        "posthog_project_id": "7",
        "backend": "posthog",
    }
    for arguments, writes in ((["push"], 0), (["push", "--yes"], 7), (["push", "--yes"], 7)):
        done = CliRunner().invoke(command, arguments, obj=Context.of(settings), catch_exceptions=False)
        assert done.exit_code == 0 and project.writes == writes
    assert "dim_tone" in json.dumps(project.kept)


def test_the_embedded_store_has_no_dashboards(tmp_path):
    settings = Context.of({"workspace_dir": str(tmp_path), "backend": "embedded"})
    with pytest.raises(LoopdeskError, match="desk itself"):
        CliRunner().invoke(command, ["push"], obj=settings, catch_exceptions=False)
