"""`loopdesk posthog push`: the boards inside PostHog, made once, brought up to date, and nothing else touched."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner

from queries.limiter import Limiter, account
from queries.posthog_boards.boards import MOST_DIMENSIONS, boards
from queries.posthog_boards.pushing import CHANGE, KEEP, MAKE, PLACE, existing, plan, push
from queries.remote_exchange import Exchanges
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

    def __init__(self, *, keeps_tags: bool = True, fails_after: int | None = None, lacks: tuple[str, ...] = ()) -> None:
        self.kept: dict[str, dict[int, dict]] = {"dashboards": {}, "insights": {}}
        self.keeps_tags, self.fails_after, self.lacks = keeps_tags, fails_after, lacks
        self.writes = 0
        self.layouts: dict[int, dict] = {}  # by insight, whose tile has ten times its number

    def __call__(self, received: Received) -> Scripted | None:
        parts = urlsplit(received.path)
        _, _, _, _, kind, *rest = parts.path.split("/")
        if kind == "query":
            columns = ["bucket", "project", "client", "dim", "average", "rounds"]
            return rows(["2026-11-20", "p", "c", "dim_tone", 0.5, 3], columns=columns)
        kept = self.kept[kind]
        if received.method == "GET" and rest[0]:
            return json_answer({**kept[int(rest[0])], "tiles": self.tiles(int(rest[0]))})
        if received.method == "GET":
            search = parse_qs(parts.query).get("search", [""])[0]
            return json_answer({"results": [one for one in kept.values() if search in json.dumps(one)], "next": None})
        scope = f"{kind.removesuffix('s')}:write"
        if scope in self.lacks:
            return refusal(403, f"API key missing required scope '{scope}'", "authentication_error")
        if rest[0] == "0":
            return None
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
        for tile in body.pop("tiles", []):
            self.layouts[tile["id"] // 10] = tile["layouts"]
        kept[int(rest[0])] |= body
        return json_answer(kept[int(rest[0])])

    def tiles(self, dashboard: int) -> list[dict]:
        """As PostHog tells them, with a text that somebody wrote."""
        on = [one for one in self.kept["insights"].values() if dashboard in one.get("dashboards", ())]
        text = {"id": 7, "insight": None, "text": {"body": "Ours"}, "layouts": {}}
        return [
            text,
            *({"id": 10 * one["id"], "insight": one, "layouts": self.layouts.get(one["id"], {})} for one in on),
        ]

    def places(self) -> dict[str, tuple[int, ...]]:
        found = {self.kept["insights"][id]["name"]: layout["sm"] for id, layout in self.layouts.items()}
        return {name: tuple(at[side] for side in "xywh") for name, at in found.items()}


@pytest.fixture
def connected(tmp_path: Path):
    running = []

    def start(project: Project) -> tuple[RemoteRest, Double]:
        context = Double([], project).running()
        double = context.__enter__()
        rest = RemoteRest(
            Exchanges(
                Transport(double.url, KEY),
                Limiter(tmp_path / "limits"),
                account(double.url, KEY),
                "7",
                pause=lambda _: None,
            )
        )
        running.append((context, rest))
        return rest, double

    yield start
    for context, rest in running:
        rest.close()
        context.__exit__(None, None, None)


def asking(double: Double) -> Context:
    return Context.of(
        {
            "posthog_host": double.url,
            "posthog_personal_key": KEY,
            "posthog_project_id": "7",
            "backend": "posthog",
        }
    )


def pushed(rest: RemoteRest, wanted=WANTED) -> list[str]:
    return [step.action for step in push(rest, wanted, existing(rest))]


def test_a_funnel_counts_rounds_and_cost_is_counted_once():
    by_key = {board.key: json.dumps(board.query) for board in WANTED}
    assert len(by_key) == 6 and '"funnelAggregateByHogQL": "properties.round_id"' in by_key["round_funnel"]
    assert "proposal_generated" not in by_key["cost_per_kept"]
    assert by_key["dimension_heatmap"].count('"math_property": "dim_') == 2
    assert len(boards([])) == 5


def test_each_body_is_what_posthog_takes():
    """Against the corrected list of shapes."""
    sources = {board.key: board.query["source"] for board in WANTED}
    assert {board.query["kind"] for board in WANTED} == {"InsightVizNode"}
    assert {key: source["kind"] for key, source in sources.items() if source["kind"] != "TrendsQuery"} == {
        "round_funnel": "FunnelsQuery"
    }
    funnel = sources["round_funnel"]
    assert (funnel["funnelsFilter"]["funnelWindowInterval"], funnel["funnelsFilter"]["funnelWindowIntervalUnit"]) == (
        12,
        "hour",
    )
    assert funnel["breakdownFilter"]["breakdown"] == "project"
    assert [one["event"] for one in funnel["series"]] == [
        "round_started",
        "proposal_generated",
        "proposal_applied",
        "round_scored",
        "round_kept",
    ]
    spent, kept = sources["cost_per_kept"]["series"]
    assert spent["kind"] == "GroupNode" and {one["event"] for one in spent["nodes"]} == {"round_kept", "round_reverted"}
    assert (spent["math"], spent["math_property"], kept["math"]) == ("sum", "cost_usd", "total")
    assert sources["cost_per_kept"]["trendsFilter"]["formula"] == "A/B"
    for key, property in (("score_trend", "project"), ("escalations", "to_model"), ("stop_reasons", "reason")):
        assert sources[key]["breakdownFilter"]["breakdowns"] == [{"property": property, "type": "event"}]
    assert {one["math_property"] for one in sources["score_trend"]["series"]} == {"score"}
    # A display of one figure for the whole time would not say when.
    assert sources["dimension_heatmap"]["trendsFilter"]["display"] == "ActionsLineGraph"
    assert all(len(board.asks) + len(board.key) + 20 < 400 for board in boards([f"dim_{n}" for n in range(99)]))


def test_as_many_dimensions_as_are_found_and_where_they_are_cut_it_is_said():
    many = [f"dim_{number:02}" for number in range(MOST_DIMENSIONS + 3)]
    exact, cut = (
        next(board for board in boards(names) if board.key == "dimension_heatmap")
        for names in (many[:MOST_DIMENSIONS], many)
    )
    assert len(exact.query["source"]["series"]) == len(cut.query["source"]["series"]) == MOST_DIMENSIONS
    assert str(len(many)) in cut.asks and str(MOST_DIMENSIONS) not in exact.asks


@pytest.mark.parametrize("keeps_tags", [True, False])
def test_a_second_push_finds_nothing_to_do(connected, keeps_tags):
    project = Project(keeps_tags=keeps_tags)
    rest, _ = connected(project)
    assert pushed(rest) == [*[MAKE] * 7, PLACE]
    before = copy.deepcopy(project.kept)
    assert pushed(rest) == [KEEP] * 7
    assert project.kept == before and len(project.kept["insights"]) == 6


def test_a_half_made_dashboard_is_finished(connected):
    project = Project(fails_after=3)
    rest, _ = connected(project)
    with pytest.raises(LoopdeskError, match="insight:write"):
        pushed(rest)
    project.fails_after = None
    assert pushed(rest) == [KEEP] * 3 + [MAKE] * 4 + [PLACE]
    assert len(project.places()) == 6
    assert {tuple(one["dashboards"]) for one in project.kept["insights"].values()} == {(1,)}


def overlap(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return all(one[side] < other[side] + other[side + 2] and other[side] < one[side] + one[side + 2] for side in (0, 1))


def test_tiles_lie_two_beside_each_other_and_what_somebody_moved_stays(connected):
    project = Project()
    rest, _ = connected(project)
    pushed(rest)
    places = project.places()
    assert (places["Round funnel"], places["Score by day"]) == ((0, 0, 6, 5), (6, 0, 6, 5))
    assert all(x + w <= 12 for x, _, w, _ in places.values())
    project.layouts[1] = {"sm": {"x": 3, "y": 40, "w": 4, "h": 9}}
    del project.layouts[2]
    assert pushed(rest) == [*[KEEP] * 7, PLACE]
    moved = project.places()
    assert moved["Round funnel"] == (3, 40, 4, 9)
    assert {name: at for name, at in moved.items() if places[name] != at}.keys() == {"Round funnel", "Score by day"}
    found = list(moved.values())
    assert not any(overlap(one, other) for place, one in enumerate(found) for other in found[:place])
    assert pushed(rest) == [KEEP] * 7


def test_a_push_that_broke_off_before_the_places_gives_them_later(connected):
    project = Project(fails_after=7)
    rest, _ = connected(project)
    with pytest.raises(LoopdeskError):
        pushed(rest)
    assert not project.layouts
    project.fails_after = None
    assert pushed(rest) == [*[KEEP] * 7, PLACE] and len(project.places()) == 6


def test_an_insight_that_names_its_dashboards_by_their_tiles_is_on_them(connected):
    project = Project()
    rest, _ = connected(project)
    pushed(rest)
    for one in project.kept["insights"].values():
        one["dashboard_tiles"] = [{"id": 1, "dashboard_id": id} for id in one["dashboards"]]
    for one in project.kept["insights"].values():
        project.tiles = lambda dashboard: []  # type: ignore[method-assign]
        del one["dashboards"]
    assert pushed(rest) == [KEEP] * 7


@pytest.mark.parametrize("lacks", [("insight:write",), ("dashboard:write", "insight:write")])
def test_a_key_without_the_scopes_makes_nothing_and_is_told_in_one_sentence(connected, monkeypatch, tmp_path, lacks):
    monkeypatch.setenv("LOOPDESK_STATE_DIR", str(tmp_path / "state"))
    project = Project(lacks=lacks)
    _, double = connected(project)
    with pytest.raises(LoopdeskError) as refused:
        CliRunner().invoke(command, ["push", "--yes"], obj=asking(double), catch_exceptions=False)
    assert all(scope in refused.value.what for scope in lacks) and project.writes == 0
    shown = CliRunner().invoke(command, ["push"], obj=asking(double), catch_exceptions=False)
    assert shown.exit_code == 0 and "would be made" in shown.stdout and lacks[0] in shown.stderr


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
    for arguments, writes in ((["push"], 0), (["push", "--yes"], 8), (["push", "--yes"], 8)):
        done = CliRunner().invoke(command, arguments, obj=asking(double), catch_exceptions=False)
        assert done.exit_code == 0 and project.writes == writes
    assert "dim_tone" in json.dumps(project.kept)


def test_the_embedded_store_has_no_dashboards(tmp_path):
    settings = Context.of({"workspace_dir": str(tmp_path), "backend": "embedded"})
    with pytest.raises(LoopdeskError, match="desk itself"):
        CliRunner().invoke(command, ["push"], obj=settings, catch_exceptions=False)
