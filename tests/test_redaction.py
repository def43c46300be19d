"""What leaves a loop: planted secrets in every field of every event, on the disk and at the server, and innocents."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from observability.posthog_client import Client, Redactor, Settings, json_only
from tests.conftest import Served
from tests.corpora import split
from tests.corpora.split import HALVES, Half, RedactionCase
from tests.test_recipes import stored

ROOT = Path(__file__).resolve().parents[1]


def leaks(case: RedactionCase, written: str) -> list[str]:
    """The planted parts that can be read in `written`, as they are or as JSON writes them, once or twice."""
    forms = [
        (part, json.dumps(part)[1:-1], json.dumps(json.dumps(part)[1:-1])[1:-1], json.dumps(part, ensure_ascii=False))
        for part in case.planted
    ]
    return [part for part, *others in forms if any(form.strip('"') in written for form in (part, *others))]


@pytest.mark.parametrize("half", HALVES)
def test_all_that_is_planted_is_found_and_nothing_else(half: Half):
    """The figures of both halves are in the README of the corpora: none is missed, and none is taken by mistake."""
    redactor = Redactor()
    cases = split.redaction(half)
    missed = [case.text for case in cases if leaks(case, redactor.text(case.text))]
    hurt = [case.text for case in cases if not case.planted and redactor.text(case.text) != case.text]
    assert (missed, hurt) == ([], [])


def told_everywhere(client: Client, text: str) -> None:
    """`text` in every place of an event where a loop or a wrapper of PostHog's puts texts."""
    with client.run(), client.round_(agent="coder"):
        client.step_plan(text, next_action=text)
        client.step_observation("source", text)
        client.step_reflection(text, issues=[text])
        client.step_retry(text, attempt=2, prior_error=text)
        client.step_tool("shell", lambda command, env: command, {"command": text, "env": [{"x": text}]})
        with pytest.raises(RuntimeError):
            client.step_tool("shell", failing, {"text": text})
        client.eval_suite("style", n_cases=1).case("c1", dim="tone", score=0.5, rationale=text)
        client.round_reverted(failure_mode=text, notes={"deep": [[text]]})
        with client.model_call(phase="proposal", task_type=text):
            client.sdk.capture(
                "$ai_generation",
                properties={
                    "$ai_input": [{"role": "user", "content": [{"type": "text", "text": text}]}],
                    "$ai_output_choices": [{"role": "assistant", "content": text, "tool_calls": [{"args": text}]}],
                    "$ai_error": text,
                    "$ai_tools": [{"description": text}],
                    "$ai_model_parameters": {"stop": [text]},
                },
            )
        client.sdk.capture("$ai_span", properties={"$ai_input_state": {"a": text}, "$ai_output_state": text})
    with pytest.raises(RuntimeError), client.round_():
        failing(text)


def failing(text: str) -> None:
    raise RuntimeError(text)


def test_nothing_planted_is_on_the_disk_or_at_the_server_in_any_field(serve: Callable[..., Served], tmp_path: Path):
    served = serve()
    planted = [case for case in split.redaction() if case.planted]
    night = Client(Settings("", served.url, project="autoagent", git_sha="c0ffee", spool=tmp_path / "spool"))
    for case in planted:
        told_everywhere(night, case.text)
    (spool,) = (tmp_path / "spool").glob("*.jsonl")
    on_disk = spool.read_text()
    night.shutdown()
    assert on_disk.count("\n") == 14 * len(planted)
    assert [part for case in planted for part in leaks(case, on_disk)] == []
    morning = Client(
        Settings(served.project_key, served.url, project="autoagent", git_sha="c", spool=tmp_path / "spool")
    )
    assert morning.flush(30)
    morning.shutdown()
    rows = stored(served.events_db)
    assert len(rows) == on_disk.count("\n")
    at_the_server = json.dumps(rows, ensure_ascii=False)
    assert [part for case in planted for part in leaks(case, at_the_server)] == []


def test_innocents_come_as_they_are_in_prompts_and_arguments(tmp_path: Path):
    client = Client(Settings(project="autoagent", git_sha="c0ffee", spool=tmp_path))
    innocents = [case.text for case in split.redaction() if not case.planted]
    with client.round_():
        for text in innocents:
            client.sdk.capture("$ai_generation", properties={"$ai_input": [{"content": text}], "args_json": text})
    (spool,) = tmp_path.glob("*.jsonl")
    told = [json.loads(line)["properties"] for line in spool.read_text().splitlines()]
    client.shutdown()
    assert [one["$ai_input"][0]["content"] for one in told] == innocents
    assert [one["args_json"] for one in told] == innocents


@pytest.mark.parametrize(
    "text",
    [
        "Authorized as ya29.a0AfH6SMB-s3cretS3cretS3cret.s3cret",
        "SENDGRID SG.s3cretS3cretS3cret.s3cretS3cretS3cretS3cret",
        "docker login -p dckr_pat_s3cretS3cretS3cret",
        "Cookie: theme=s3cret; sid=s3cret",
        '{"Set-Cookie": "sid=s3cret; Path=/"}',
        "https://hooks.slack.com/services/s3cret/s3cret/s3cret",
        "psql --password s3cretS3cret",
        '{"args_json": "deploy --api-key s3cretS3cret"}',
    ],
)
def test_tokens_of_a_loops_tools_stay_home(text: str):
    redactor = Redactor()
    once = redactor.text(text)
    assert "s3cret" not in once and redactor.text(once) == once


@pytest.mark.parametrize(
    "text",
    ["The cookie: a banner asks for it", "pytest --max-tokens 1000 --secret", "ya29. of May", "git log --no-password"],
)
def test_words_of_those_tools_are_no_tokens(text: str):
    assert Redactor().text(text) == text


# Tags


def test_equal_ids_have_one_tag_and_others_another():
    said = Redactor().text("GTM-K7QWL2P fires before GTM-N3TPB8, then 'GTM-K7QWL2P' again")
    first, second, third = re.findall(r"GTM-\[([a-p]{6})\]", said)
    assert first == third != second


def test_a_containers_long_and_short_ids_have_one_tag():
    long = "4c01db0b339ce1d0a9c2f7b8e6d5c4b3a291807f6e5d4c3b2a1908f7e6d5c4b3"
    said = Redactor().text(f"docker logs 4c01db0b339c\n/docker/{long}")
    first, second = re.findall(r"\[([a-p]{6})\]", said)
    assert first == second


def test_tags_cannot_be_looked_up_without_the_key_and_hold_everywhere_with_it():
    text = "GTM-K7QWL2P"
    assert Redactor().text(text) != Redactor().text(text)  # each as in a process of its own
    assert Redactor("of ours").text(text) == Redactor("of ours").text(text) != Redactor("of others").text(text)
    code = "from observability.posthog_client import Redactor; print(Redactor('of ours').text('GTM-K7QWL2P'))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == Redactor("of ours").text(text)


@pytest.mark.parametrize("written", ["AUTORESEARCH_REDACTION_KEY=k3y-of-ours", '{"redaction_key": "k3y-of-ours"}'])
def test_the_key_of_tags_is_a_secret_too(written: str):
    assert "k3y-of-ours" not in Redactor().text(written)
    told = json_only({"environ": {"AUTORESEARCH_REDACTION_KEY": "k3y-of-ours"}}, Redactor().text)
    assert told == {"environ": {"AUTORESEARCH_REDACTION_KEY": "[redacted]"}}


def test_a_text_that_was_redacted_is_not_redacted_again():
    redactor = Redactor()
    for case in split.redaction():
        once = redactor.text(case.text)
        assert redactor.text(once) == once, case.text


@pytest.mark.parametrize(
    ("text", "planted"),
    [
        ("valid to 2026 4111 1111 1111 1111", "4111 1111"),
        ("written to task-ghp_Ab12Cd34Ef56Gh78Ij90", "ghp_Ab12"),
        ("risk-sk-ant-api03-Zx81kQpLm27RtYwV.txt", "Zx81kQ"),
        ("RNG-GTM-K7QWL2P.json", "K7QWL2P"),
        ("secret: password = 'hunter 22'", "hunter"),
    ],
)
def test_what_looks_alike_in_front_does_not_hide_it(text: str, planted: str):
    assert planted not in Redactor().text(text)


# Names and structures


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("containerId", "12345678"), ("accountId", 6004711811), ("container_id", "b2c4f7d3e9a1"),
        ("conversionLabel", "Xk_3CJ-0p4YBEKqLmNoD"), ("pixelId", 564738291019283), ("HOSTNAME", "5e6f7a8b9c0d"),
        ("phone", "(555) 010-4477"),
    ],
)  # fmt: skip
def test_some_values_are_known_by_their_names_only(name: str, value: Any):
    redactor = Redactor()
    told = json_only({"tag": {name: value}}, redactor.text)["tag"][name]
    assert str(value) not in str(told) and str(told).strip("[]") != ""
    assert json_only({"tag": {"n": value}}, redactor.text)["tag"]["n"] == value


@pytest.mark.parametrize("value", [12, True, None, "", 0.5, "web"])
def test_values_that_are_none_keep_their_type_under_such_names(value: Any):
    assert json_only({"containerId": value}, Redactor().text) == {"containerId": value}


def test_what_breaks_json_in_a_text_is_not_broken():
    said = {"note": "hello\nbilling@tokyo-bikes.jp\nGTM-T6YH31K\ncall +49 170 1234567"}
    told = json.loads(Redactor().text(json.dumps(said)))
    assert told["note"].splitlines()[:2] == ["hello", "[email]"]
    assert "T6YH31K" not in told["note"] and "1234567" not in told["note"]


def test_a_long_text_of_letters_takes_no_time_out_of_proportion():
    """Each of these would take hours where a pattern goes back and forth over it."""
    redactor = Redactor()
    for piece in (
        "a",
        "a@",
        "+1 ",
        "4",
        "GTM-",
        "docker run ",
        "eyJ",
        "password=",
        "%3D",
        "\\n",
        "kubepods",
        "tel: 1 ",
    ):
        redactor.text(piece * 40_000)
