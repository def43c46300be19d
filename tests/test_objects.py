"""PostHog's REST over the workspace: flags, annotations and the project, as scripts use them."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from queries.local.objects import KeyTaken, ObjectStore
from queries.local.store import Store
from tests.conftest import Served
from tests.rest_calls import EVERYONE, HALVES, Rest, ask_flags, refused


@pytest.fixture
def rest(serve: Callable[..., Served]) -> Rest:
    return Rest(serve())


# Feature flags


def test_a_flag_is_made_read_changed_and_put_away(rest: Rest):
    made = rest.flag("judge-v2", EVERYONE, name="Which judge", tags=["Eval", "eval", "judge"])
    assert (made["version"], made["active"], made["deleted"], made["tags"]) == (1, True, False, ["eval", "judge"])
    path = f"feature_flags/{made['id']}/"
    assert rest("GET", path) == (200, made)
    status, changed = rest("PATCH", path, {"name": "The judge", "filters": {"groups": []}})
    assert (status, changed["version"], changed["name"], changed["filters"]["groups"]) == (200, 2, "The judge", [])
    assert changed["key"] == "judge-v2"
    assert rest("DELETE", path) == (204, {})
    assert rest("GET", "feature_flags/")[1]["count"] == 0
    assert rest("GET", path)[1]["deleted"] is True
    assert ask_flags(rest.served, distinct_id="a")[1]["flags"] == {}
    # Its key is free again, and coming back it has to find it so.
    rest.flag("judge-v2")
    assert refused(rest("PATCH", path, {"deleted": False})) == (400, "validation_error", "unique", "key")


def test_filters_are_replaced_whole(rest: Rest):
    made = rest.flag("split", {**EVERYONE, "multivariate": HALVES, "payloads": {"test": {"n": 1}}})
    _, changed = rest("PATCH", f"feature_flags/{made['id']}/", {"filters": EVERYONE})
    assert changed["filters"].get("multivariate") is None
    assert changed["filters"]["payloads"] == {}


def test_enabling_what_is_enabled_is_no_new_version(rest: Rest):
    made = rest.flag("switch", EVERYONE)
    path = f"feature_flags/{made['id']}"
    assert rest("POST", f"{path}/enable/")[1]["version"] == 1
    status, off = rest("POST", f"{path}/disable/")
    assert (status, off["active"], off["version"]) == (200, False, 2)
    assert rest("POST", f"{path}/enable")[1]["version"] == 3


def test_a_change_to_an_older_version_is_a_conflict(rest: Rest):
    made = rest.flag("switch", EVERYONE)
    path = f"feature_flags/{made['id']}/"
    assert rest("PATCH", path, {"active": False, "version": 1})[0] == 200
    assert refused(rest("PATCH", path, {"active": True, "version": 1}))[:3] == (409, "server_error", "conflict")
    assert rest("GET", path)[1]["active"] is False


def test_lists_come_in_pages_and_can_be_searched(rest: Rest):
    for number in range(5):
        rest.flag(f"flag-{number}", active=number != 3, name="special" if number == 1 else "")
    status, first = rest("GET", "feature_flags/?limit=2")
    assert (status, first["count"], first["previous"]) == (200, 5, None)
    assert [each["key"] for each in first["results"]] == ["flag-4", "flag-3"]
    with httpx.Client(headers={"Authorization": f"Bearer {rest.served.personal_key}"}) as client:
        second = client.get(first["next"]).json()
        third = client.get(second["next"]).json()
        assert [each["key"] for each in third["results"]] == ["flag-0"]
        assert third["next"] is None
        assert client.get(third["previous"]).json() == second
        back = client.get(second["previous"]).json()
        assert (back["results"], back["previous"]) == (first["results"], None)
    assert [each["key"] for each in rest("GET", "feature_flags/?search=SPECIAL")[1]["results"]] == ["flag-1"]
    assert rest("GET", "feature_flags/?search=flag-2")[1]["count"] == 1
    assert rest("GET", "feature_flags/?active=false")[1]["count"] == 1
    for odd in ("limit=x&offset=-3", "limit=0", "limit=9999999999", "offset=77777"):
        assert rest("GET", f"feature_flags/?{odd}")[0] == 200


@pytest.mark.parametrize(
    ("body", "code", "attr"),
    [
        ({}, "required", "key"),
        ({"key": ""}, "blank", "key"),
        ({"key": None}, "null", "key"),
        ({"key": ["a"]}, "invalid_input", "key"),
        ({"key": "a b"}, "invalid_key", "key"),
        ({"key": "x" * 401}, "max_length", "key"),
        ({"key": "taken"}, "unique", "key"),
        ({"key": "a", "active": "yes"}, "invalid_input", "active"),
        ({"key": "a", "name": {}}, "invalid_input", "name"),
        ({"key": "a", "tags": "x"}, "not_a_list", "tags"),
        ({"key": "a", "tags": [{}]}, "invalid_input", "tags"),
        ({"key": "a", "filters": []}, "not_a_dict", "filters"),
        ({"key": "a", "filters": {"groups": [{"rollout_percentage": 200}]}}, "invalid_input", "filters"),
        ({"key": "a", "evaluation_runtime": "edge"}, "invalid_choice", "evaluation_runtime"),
        ({"key": "a", "has_encrypted_payloads": True}, "invalid_input", "has_encrypted_payloads"),
        ([], "invalid_input", None),
        ("x", "invalid_input", None),
    ],
)
def test_a_flag_that_cannot_be_is_posthogs_400(body: object, code: str, attr: str | None, rest: Rest):
    rest.flag("taken")
    assert refused(rest("POST", "feature_flags/", body)) == (400, "validation_error", code, attr)
    assert rest("GET", "feature_flags/")[1]["count"] == 1


def test_dependencies_must_exist_and_may_not_run_in_a_circle(rest: Rest):
    def on(id: int) -> dict:
        asked = {"key": str(id), "type": "flag", "operator": "flag_evaluates_to", "value": True}
        return {"groups": [{"properties": [asked], "rollout_percentage": 100}]}

    first, second = rest.flag("first", EVERYONE), rest.flag("second", on(1))
    third = rest.flag("third", on(second["id"]))
    assert refused(rest("POST", "feature_flags/", {"key": "x", "filters": on(99)}))[3] == "filters"
    for target in (first["id"], third["id"]):
        status, answer = rest("PATCH", f"feature_flags/{first['id']}/", {"filters": on(target)})
        assert (status, "ircular" in answer["detail"]) == (400, True)
    assert "second" in rest("DELETE", f"feature_flags/{first['id']}/")[1]["detail"]
    _, answer = ask_flags(rest.served, distinct_id="a")
    assert answer["flags"]["third"]["enabled"] is True


# Annotations


def test_an_annotation_is_made_read_changed_and_put_away(rest: Rest):
    status, made = rest(
        "POST",
        "annotations/",
        {"content": "Deployed 4f2c", "date_marker": "2026-11-20T07:12:00+02:00", "scope": "project", "emoji": "🚀",
         "creation_type": "GIT", "hidden_in_user_interface": True, "unknown": 1},
    )  # fmt: skip
    assert status == 201
    assert made["date_marker"] == "2026-11-20T05:12:00.000000Z"
    assert (made["creation_type"], made["hidden_in_user_interface"], made["emoji"]) == ("GIT", True, "🚀")
    assert "unknown" not in made
    path = f"annotations/{made['id']}/"
    assert rest("GET", path) == (200, made)
    assert rest("PATCH", path, {"content": "Deployed"})[1]["content"] == "Deployed"
    assert rest("PATCH", path, {"deleted": True})[1]["deleted"] is True
    assert rest("GET", "annotations/")[1]["count"] == 0
    assert rest("PATCH", path, {"deleted": False})[0] == 200
    assert rest("DELETE", path)[0] == 204
    assert rest("GET", "annotations/")[1]["count"] == 0


def test_annotations_are_listed_newest_first_and_found_by_their_words(rest: Rest):
    for day, content in ((3, "later"), (1, "first DEPLOY"), (2, None)):
        body = {"content": content, "date_marker": f"2026-01-0{day}T00:00:00Z", "scope": "project"}
        assert rest("POST", "annotations/", body)[0] == 201
    listed = rest("GET", "annotations/?limit=2")[1]
    assert ([each["content"] for each in listed["results"]], listed["count"]) == (["later", None], 3)
    assert [each["content"] for each in rest("GET", "annotations/?search=deploy")[1]["results"]] == ["first DEPLOY"]


@pytest.mark.parametrize(
    ("body", "code", "attr"),
    [
        ({"content": "x" * 8193}, "max_length", "content"),
        ({"content": ["x"]}, "invalid_input", "content"),
        ({"date_marker": "yesterday"}, "invalid_input", "date_marker"),
        ({"date_marker": 1732000000}, "invalid_input", "date_marker"),
        ({"date_marker": "0001-01-01T00:00:00+14:00"}, "invalid_input", "date_marker"),
        ({"scope": "galaxy"}, "invalid_choice", "scope"),
        ({"scope": "recording"}, "invalid_input", "scope"),
        ({"scope": "tag"}, "invalid_input", "tags"),
        ({"scope": "tag", "tags": []}, "invalid_input", "tags"),
        ({"scope": "project", "tags": ["a"]}, "invalid_input", "tags"),
        ({"creation_type": "BOT"}, "invalid_choice", "creation_type"),
        ({"emoji": "x" * 17}, "max_length", "emoji"),
        ({"hidden_in_user_interface": 1}, "invalid_input", "hidden_in_user_interface"),
        ({"dashboard_item": "7"}, "invalid_input", "dashboard_item"),
        ({"dashboard_id": 2**70}, "invalid_input", "dashboard_id"),
    ],
)
def test_an_annotation_that_cannot_be_is_posthogs_400(body: dict, code: str, attr: str, rest: Rest):
    assert refused(rest("POST", "annotations/", body)) == (400, "validation_error", code, attr)
    made = rest("POST", "annotations/", {"content": "x", "scope": "project"})[1]
    assert refused(rest("PATCH", f"annotations/{made['id']}/", body))[0] == 400
    assert rest("GET", "annotations/")[1]["results"] == [made]


# The project, keys and what is not there


def test_the_project_and_its_user(rest: Rest):
    _, project = rest("GET", "/api/projects/@current/")
    assert (project["id"], project["api_token"], project["timezone"]) == (1, rest.served.project_key, "UTC")
    assert rest("GET", "/api/projects/1/") == (200, project)
    assert rest("GET", "/api/environments/1/") == (200, project)
    assert rest("GET", "/api/projects/")[1]["results"] == [project]
    _, me = rest("GET", "/api/users/@me/")
    assert me["team"]["id"] == 1
    assert me["organization"]["id"] == project["organization"]


@pytest.mark.parametrize(
    "path",
    ["/api/projects/2/feature_flags/", "/api/projects/nosuch/annotations/", "/api/projects/2/", "feature_flags/99/",
     "annotations/99/", "experiments/99/", "feature_flags/x/", "feature_flags/-1/", "annotations/٣/",
     "annotations/99999999999999999999/", "nosuch/", "feature_flags/nosuch/remote_config/"],
)  # fmt: skip
def test_what_is_not_there_is_posthogs_404(path: str, rest: Rest):
    assert refused(rest("GET", path)) == (404, "invalid_request", "not_found", None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "annotations/1/"),
        ("DELETE", "annotations/"),
        ("GET", "feature_flags/1/enable/"),
        ("POST", "groups_types/"),
    ],
)
def test_a_method_that_is_not_there_is_posthogs_405(method: str, path: str, rest: Rest):
    assert refused(rest(method, path))[:3] == (405, "invalid_request", "method_not_allowed")


@pytest.mark.parametrize(
    "path", ["feature_flags/", "annotations/1/", "experiments/", "/api/users/@me/", "/api/projects/"]
)
def test_the_rest_needs_the_personal_key(path: str, rest: Rest):
    for authorization in ("", "Bearer phx_wrong", f"Bearer {rest.served.project_key}", "Basic abc"):
        answer = rest("GET", path, Authorization=authorization)
        assert refused(answer)[:2] == (401, "authentication_error"), authorization


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff", b"NaN", b"[" * 100_000, b'{"a":' * 500 + b"1" + b"}" * 500, b'{"content": 1e999}', b"9" * 5000],
    ids=range(7),
)
@pytest.mark.parametrize("path", ["feature_flags/", "annotations/", "experiments/"])
def test_a_body_that_is_no_json_is_refused(body: bytes, path: str, rest: Rest):
    status, type, code, _ = refused(rest("POST", path, body))
    assert (status, type, code) == (400, "invalid_request", "parse_error")


def test_a_body_without_end_is_stopped(rest: Rest):
    assert rest("POST", "annotations/", b" " * 3_000_000)[0] == 413


def test_half_characters_and_nul_do_no_harm(rest: Rest):
    status, made = rest("POST", "annotations/", b'{"content": "a\\ud800b\\u0000c", "scope": "project"}')
    assert (status, made["content"]) == (201, "a?bc")
    assert rest("GET", "annotations/")[1]["results"] == [made]
    assert rest("POST", "annotations/", b'{"scope": "\\ud800"}')[0] == 400
    assert (
        rest("POST", "feature_flags/", b'{"key": "a", "filters": {"groups": [{"properties": [{"key": "\\udfff"}]}]}}')[
            0
        ]
        == 201
    )


# The store beneath


def test_ids_are_never_reused_and_keys_only_when_free(tmp_path: Path):
    Store.open(tmp_path / "events.db").close()
    store = ObjectStore(tmp_path / "events.db")
    with store.writing() as objects:
        first = objects.insert("flag", {"v": 1}, key="a")
        assert objects.insert("note", {})["id"] == first["id"] == 1
        with pytest.raises(KeyTaken):
            objects.insert("flag", {}, key="a")
        objects.update("flag", {"id": 1, "v": 2})
        assert objects.insert("flag", {}, key="a")["id"] == 2
    with store.reading() as objects:
        assert objects.get("flag", 1) == {"id": 1, "v": 2}
        assert objects.find("flag", "a") == {"id": 2}


def test_a_change_that_fails_leaves_nothing(tmp_path: Path):
    Store.open(tmp_path / "events.db").close()
    store = ObjectStore(tmp_path / "events.db")
    with pytest.raises(ZeroDivisionError), store.writing() as objects:
        objects.insert("flag", {})
        _ = 1 / 0
    with store.reading() as objects:
        assert objects.all("flag") == []


BUMP = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from queries.local.objects import ObjectStore
from queries.local.rest.feature_flags import change_flag, existing
store = ObjectStore(Path(sys.argv[1]))
for number in range(25):
    with store.writing() as objects:
        change_flag(objects, existing(objects, 1), {"name": f"{sys.argv[2]}-{number}"}, datetime.now(UTC))
"""


def test_processes_that_change_one_flag_at_once_lose_no_version(rest: Rest):
    made = rest.flag("shared", EVERYONE)
    command = [sys.executable, "-c", BUMP, str(rest.served.events_db)]
    running = [subprocess.Popen([*command, name]) for name in ("a", "b", "c")]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert rest("GET", f"feature_flags/{made['id']}/")[1]["version"] == 76


def test_an_object_is_a_json_document(rest: Rest):
    rest.flag("one", EVERYONE)
    connection = sqlite3.connect(rest.served.events_db)
    kind, id, key, document = connection.execute("SELECT kind, id, key, document FROM objects").fetchone()
    connection.close()
    assert (kind, id, key, json.loads(document)["filters"]["groups"][0]["rollout_percentage"]) == (
        "feature_flag",
        1,
        "one",
        100,
    )
