"""`loopdesk brief`: the desk's own verdicts in text, Markdown and JSON, whatever names the events bring."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from queries import boards
from queries.backend import QueryResult, QueryTimedOut
from queries.brief import gather
from queries.local.backend import LocalBackend
from queries.local.store import Store
from queries.views.brief import NOTHING_STORED, Brief
from queries.views.brief_document import document
from queries.views.brief_text import escaped, markdown, text
from queries.views.filters import Filters
from queries.views.window import night
from tests.board_views import COST, ESCALATIONS, FUNNEL, HEADLINE, HEATMAP, STOPS, TREND
from tests.conftest import NOW
from tests.events import event
from tests.test_commands import loopdesk, refused
from workspace.config import Config
from workspace.errors import LoopdeskError

VIEWS = {
    "headline": HEADLINE,
    "funnel": FUNNEL,
    "trend": TREND,
    "heatmap": HEATMAP,
    "cost": COST,
    "escalations": ESCALATIONS,
    "stops": STOPS,
}
HOSTILE = "\x1b[31mx\u202e|<img src=x onerror=1>[a](https://evil.example)`${1}` www.evil.example"


def stored(folder: Path, *events: dict) -> Config:
    folder.mkdir(mode=0o700, exist_ok=True)
    store = Store.open(folder / "events.db")
    store.ingest(list(events), now=NOW)
    store.close()
    return Config(workspace_dir=str(folder), timezone="UTC")


def a_round(at=NOW - timedelta(hours=3), **properties: object) -> list[dict]:
    given = {"round_id": "R1", "run_id": "N1", **properties}
    return [
        event("round_started", at=at, **given),
        event("round_scored", at=at, **given, score=0.912),
        event("round_kept", at=at, **given, cost_usd=0.04),
    ]


def asked(config: Config, backend=None, kind: str = "night", filters: Filters = Filters()) -> Brief:  # noqa: B008
    backend = backend or LocalBackend(config.workspace.events_db, now=lambda: NOW)
    try:
        return gather(backend, config, kind, filters, now=NOW)
    finally:
        backend.close()


def a_brief(**changed: object) -> Brief:
    made = Brief(NOW, "UTC", "embedded", window=night(NOW, "UTC"), views=VIEWS)
    return replace(made, **changed)  # type: ignore[arg-type]


def test_the_brief_says_every_boards_own_verdict():
    said = text(a_brief(), boards.TITLES)
    flat = " ".join(said.split())
    for view in VIEWS.values():
        assert " ".join(view.verdict.split()) in flat
    assert max(map(len, said.splitlines())) <= 78
    assert "Night from Thu 19 Nov 18:00 to Fri 20 Nov 07:12 (UTC)" in said


def test_a_simulated_night_and_notes_stand_before_the_figures():
    said = text(a_brief(is_simulated=True, note="No rounds last night; this is older."), boards.TITLES)
    assert said.index("SIMULATED") < said.index("No rounds last night") < said.index("Headline")


def test_unfinished_runs_are_notes():
    brief = a_brief(views=VIEWS | {"stops": replace(STOPS, unfinished=("autoagent/acme",))})
    assert "autoagent/acme: its run never said why it stopped." in text(brief, boards.TITLES)
    assert document(brief)["unfinished_runs"] == ["autoagent/acme"]


@pytest.mark.parametrize("render", [text, markdown])
def test_a_name_can_neither_steer_the_terminal_nor_break_a_line(tmp_path: Path, render):
    config = stored(tmp_path / "w", *a_round(project=HOSTILE))
    said = render(asked(config), boards.TITLES)
    assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", said) is None
    assert "img src" in said


def test_a_name_is_no_markup_in_markdown(tmp_path: Path):
    config = stored(tmp_path / "w", *a_round(project=HOSTILE, client="internal"))
    said = markdown(asked(config), boards.TITLES)
    for row in (line for line in said.splitlines() if line.startswith("|")):
        assert len(re.findall(r"(?<!\\)\|", row)) in (5, 6, 8), row
    unescaped = re.sub(r"\\.", "", said)
    for markup in ("<img", "](", "`", "$", "https://", "www."):
        assert markup not in unescaped


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("# heading", r"\# heading"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("0.912 is best", "0.912 is best"),
        ("a|b", r"a\|b"),
        ("back\\slash", r"back\\slash"),
        ("$1 and $2", r"\$1 and \$2"),
        ("see https://a.example", r"see https\://a.example"),
    ],
)
def test_markdown_shows_the_letters(said: str, shown: str):
    assert escaped(said) == shown


def test_json_has_stable_keys_and_plain_text(tmp_path: Path):
    config = stored(tmp_path / "w", *a_round(project=HOSTILE))
    found = document(asked(config))
    assert list(found) == [
        "version",
        "asked_at",
        "timezone",
        "backend",
        "stored",
        "simulated",
        "filters",
        "window",
        "note",
        "verdict",
        "projects",
        "boards",
        "unfinished_runs",
        "running_runs",
        "failed",
    ]
    assert set(found["boards"]) == {"funnel", "trend", "heatmap", "cost", "escalations", "stops"}
    assert found["projects"][0]["best"] == 0.912
    assert "\x1b" not in found["projects"][0]["project"]
    json.dumps(found, allow_nan=False)


def test_an_older_night_is_said(tmp_path: Path):
    config = stored(tmp_path / "w", *a_round(at=NOW - timedelta(days=3, hours=3)))
    brief = asked(config)
    assert brief.note == "No rounds last night; this is the latest night that has some: Mon 16 Nov."
    assert brief.note in " ".join(text(brief, boards.TITLES).split())


def test_an_empty_window_is_not_an_empty_store(tmp_path: Path):
    config = stored(tmp_path / "w", *a_round(at=NOW - timedelta(days=60)))
    said = text(asked(config, kind="24h"), boards.TITLES)
    assert "No rounds in this window." in said
    assert NOTHING_STORED[:20] not in said


def test_an_empty_store_says_so_in_every_form(tmp_path: Path):
    brief = asked(stored(tmp_path / "w"))
    assert NOTHING_STORED[:24] in text(brief, boards.TITLES)
    assert "Nothing is stored yet" in markdown(brief, boards.TITLES)
    found = document(brief)
    assert (found["stored"], found["projects"], found["boards"], found["window"]) == (False, [], {}, None)


class Slow:
    """A backend that answers everything but one question."""

    name, timezone = "posthog", "UTC"

    def __init__(self, inner: LocalBackend, refuses: str) -> None:
        self._inner, self._refuses = inner, refuses

    def query(self, text: str, values: Mapping | None = None, types: Mapping | None = None) -> QueryResult:
        if self._refuses in text:
            raise QueryTimedOut("PostHog took too long")
        return self._inner.query(text, values, types)

    def close(self) -> None:
        self._inner.close()


def test_a_board_that_fails_leaves_the_others_standing(tmp_path: Path):
    config = stored(tmp_path / "w", *a_round())
    backend = Slow(LocalBackend(config.workspace.events_db, now=lambda: NOW), "arrayJoin")
    brief = asked(config, backend)
    assert brief.failed == {"heatmap": "PostHog took too long."}
    said = text(brief, boards.TITLES)
    assert "Could not be asked. PostHog took too long." in said
    assert "1 round, 1 kept" in said


def test_where_nothing_can_be_asked_it_is_an_error(tmp_path: Path):
    config = stored(tmp_path / "w", *a_round())
    backend = Slow(LocalBackend(config.workspace.events_db, now=lambda: NOW), "SELECT")
    with pytest.raises(LoopdeskError, match="took too long"):
        asked(config, backend, kind="24h")


def test_without_a_workspace_it_says_that_nothing_is_stored(tmp_path: Path):
    done = loopdesk("brief")  # with an empty home
    assert done.returncode == 0
    assert "Nothing is stored yet" in done.stdout
    assert json.loads(loopdesk("brief", "--json").stdout)["projects"] == []


def test_a_mistyped_workspace_does_not_pass_for_a_quiet_night(tmp_path: Path):
    done = loopdesk("brief", "--workspace", tmp_path / "nowhere")
    assert done.returncode == 1 and "There is no folder" in done.stderr
    assert not (tmp_path / "nowhere").exists()


def test_a_wrong_option_names_the_subcommands_help():
    assert refused(loopdesk("brief", "--windwo", "24h")).endswith("See: loopdesk brief --help.")
    assert refused(loopdesk("brief", "--json", "--markdown")).endswith("See: loopdesk brief --help.")
