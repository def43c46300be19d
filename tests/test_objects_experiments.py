"""Experiments from draft to archive, and what each step does to their flag."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Served
from tests.rest_calls import EVERYONE, HALVES, Rest, ask_flags, refused


@pytest.fixture
def rest(serve: Callable[..., Served]) -> Rest:
    return Rest(serve())


def draft(rest: Rest, key: str = "prompt-style", **fields: object) -> dict:
    status, made = rest("POST", "experiments/", {"name": "Prompt style", "feature_flag_key": key, **fields})
    assert status == 201, made
    return made


def test_a_draft_makes_its_flag_half_control_half_test(rest: Rest):
    made = draft(rest)
    assert (made["status"], made["start_date"], made["feature_flag_key"]) == ("draft", None, "prompt-style")
    flag = rest("GET", f"feature_flags/{made['feature_flag']['id']}/")[1]
    assert flag == made["feature_flag"]
    assert (flag["active"], flag["experiment_set"]) == (False, [made["id"]])
    assert flag["filters"]["multivariate"] == HALVES
    rest("POST", f"experiments/{made['id']}/launch/")
    _, answer = ask_flags(rest.served, distinct_id="a")
    assert answer["flags"]["prompt-style"]["metadata"]["has_experiment"] is True
    assert answer["flags"]["prompt-style"]["variant"] in ("control", "test")


def test_an_experiment_goes_from_draft_to_archive(rest: Rest):
    path = f"experiments/{draft(rest)['id']}"

    def move(verb: str, **body: object) -> tuple[int, str, bool]:
        status, answer = rest("POST", f"{path}/{verb}/", body)
        if status != 200:
            return status, answer["code"], False
        return status, answer["status"], answer["feature_flag"]["active"]

    no = (400, "invalid_input", False)
    for verb in ("pause", "resume", "end", "archive", "reset", "ship_variant"):
        assert move(verb, variant_key="test") == no, verb
    assert move("launch") == (200, "running", True)
    assert move("launch") == move("resume") == move("archive") == no
    assert move("pause") == (200, "paused", False)
    assert move("pause") == no
    assert move("resume") == (200, "running", True)
    assert move("end", conclusion="nonsense")[1] == "invalid_choice"
    assert move("end", conclusion="won", conclusion_comment="clearly") == (200, "stopped", True)
    assert move("end") == move("pause") == no
    assert rest("GET", f"{path}/")[1]["conclusion"] == "won"
    assert move("archive") == (200, "stopped", True)
    assert move("archive") == no
    assert rest("GET", "experiments/")[1]["count"] == 0
    assert rest("GET", "experiments/?archived=true")[1]["count"] == 1
    assert move("reset") == (200, "draft", True)
    assert rest("GET", f"{path}/")[1]["conclusion"] is None
    assert move("launch") == (200, "running", True)


def test_a_shipped_variant_is_everyones(rest: Rest):
    made = draft(rest)
    path = f"experiments/{made['id']}"
    rest("POST", f"{path}/launch/")
    assert refused(rest("POST", f"{path}/ship_variant/"))[2:] == ("required", "variant_key")
    assert refused(rest("POST", f"{path}/ship_variant/", {"variant_key": "nosuch"}))[3] == "variant_key"
    for key in ("test", "control"):
        status, shipped = rest("POST", f"{path}/ship_variant/", {"variant_key": key, "conclusion": "won"})
        assert (status, shipped["status"], shipped["conclusion"]) == (200, "stopped", "won")
        assert len(shipped["feature_flag"]["filters"]["groups"]) == 2
        for number in range(20):
            _, answer = ask_flags(rest.served, distinct_id=f"id-{number}")
            assert answer["flags"]["prompt-style"]["variant"] == key


def test_a_flag_in_a_live_experiment_cannot_be_deleted(rest: Rest):
    made = draft(rest)
    flag = f"feature_flags/{made['feature_flag']['id']}/"
    assert "experiment" in rest("DELETE", flag)[1]["detail"]
    assert rest("DELETE", f"experiments/{made['id']}/")[0] == 204
    assert rest("GET", flag)[1]["experiment_set"] == []
    assert rest("DELETE", flag)[0] == 204


def test_an_experiment_takes_a_flag_that_fits(rest: Rest):
    rest.flag("plain", EVERYONE)
    rest.flag("ready", {**EVERYONE, "multivariate": HALVES})
    three = [{"key": key, "rollout_percentage": share} for key, share in (("control", 20), ("a", 40), ("b", 40))]
    assert draft(rest, "ready")["feature_flag"]["id"] == 2
    made = draft(rest, "three", parameters={"feature_flag_variants": three})
    assert made["feature_flag"]["filters"]["multivariate"]["variants"] == three
    running = draft(rest, "now", start_date="2026-11-20T00:00:00Z")
    assert (running["status"], rest("GET", f"experiments/{running['id']}/")[1]["status"]) == ("running", "running")
    status, answer = rest("POST", "experiments/", {"name": "x", "feature_flag_key": "plain"})
    assert (status, answer["attr"]) == (400, "feature_flag_key")
    two = {"parameters": {"feature_flag_variants": HALVES["variants"]}}
    assert (
        len(rest("PATCH", f"experiments/{made['id']}/", two)[1]["feature_flag"]["filters"]["multivariate"]["variants"])
        == 2
    )
    assert rest("PATCH", f"experiments/{running['id']}/", {"parameters": {"feature_flag_variants": three}})[0] == 400


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "required"),
        ({"name": "x"}, "required"),
        ({"name": "x", "feature_flag_key": "a b"}, "invalid_key"),
        ({"name": "", "feature_flag_key": "a"}, "blank"),
        ({"name": "x", "feature_flag_key": "a", "description": "x" * 3001}, "max_length"),
        ({"name": "x", "feature_flag_key": "a", "end_date": "2026-01-01T00:00:00Z"}, "invalid_input"),
        ({"name": "x", "feature_flag_key": "a", "parameters": {"feature_flag_variants": "ab"}}, "invalid_input"),
        ({"name": "x", "feature_flag_key": "a", "parameters": {"feature_flag_variants": [7]}}, "invalid_input"),
        ({"name": "x", "feature_flag_key": "a", "feature_flag": {"filters": 7}}, "not_a_dict"),
        ({"name": "x", "feature_flag_key": "a", "feature_flag": {"filters": EVERYONE}}, "invalid_input"),
        ({"name": "x", "feature_flag_key": "a", "metrics": {}}, "not_a_list"),
    ],
)
def test_an_experiment_that_cannot_be_leaves_no_flag_behind(body: dict, code: str, rest: Rest):
    assert refused(rest("POST", "experiments/", body))[:3] == (400, "validation_error", code)
    assert rest("GET", "feature_flags/")[1]["count"] == 0
    assert rest("GET", "experiments/")[1]["count"] == 0


def test_an_experiment_keeps_its_flag(rest: Rest):
    path = f"experiments/{draft(rest)['id']}/"
    assert rest("PATCH", path, {"name": "Other", "feature_flag_key": "prompt-style"})[1]["name"] == "Other"
    assert rest("PATCH", path, {"feature_flag_key": "other"})[0] == 400
    assert rest("PATCH", path, {"start_date": "2026-01-02T00:00:00Z", "end_date": "2026-01-01T00:00:00Z"})[0] == 400
    assert rest("PATCH", path, {"start_date": "2026-01-02T00:00:00Z"})[1]["status"] == "running"
