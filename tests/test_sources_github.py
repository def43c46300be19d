"""GitHub's issues as signals: the real PyGithub against a scripted server on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from engine.sources.github_issues import GitHubIssues, configured, issue_of
from engine.sources.records import BACKFILL, signals
from tests.posthog_double import Double, Scripted, json_answer
from workspace.errors import LoopdeskError

NOW = datetime(2026, 11, 20, 7, tzinfo=UTC)
REPOSITORY = "acme/autoagent"
TOKEN = "ghp_0123456789abcdef"


def issue(number: int, *, minutes_ago: int = 60, **more: object) -> dict:
    at = (NOW - timedelta(minutes=minutes_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "number": number,
        "title": f"Retries never stop in case {number}",
        "body": "Seen twice.\n<!-- please fill in -->\n\n1. start it\n2. wait",
        "state": "open",
        "labels": [{"name": "bug"}],
        "html_url": f"https://github.com/{REPOSITORY}/issues/{number}",
        "author_association": "NONE",
        "assignees": [],
        "created_at": at,
        "updated_at": at,
        **more,
    }


def answer(*issues: dict, etag: str = '"one"', **more: object) -> Scripted:
    headers = {"Content-Type": "application/json; charset=utf-8", "ETag": etag}
    return json_answer(list(issues), headers=headers, **more)


@pytest.fixture
def github() -> Iterator[Double]:
    with Double([]).running() as double:
        yield double


def source(github: Double, **more: object) -> GitHubIssues:
    options = {"project": "autoagent", "token": TOKEN, "api": github.url, "timeout_s": 5, **more}
    return GitHubIssues(REPOSITORY, **options)  # type: ignore[arg-type]


def cursor_at(github: Double, *issues: dict) -> str:
    github.script.append(answer(*issues))
    return source(github).fetch(None, NOW).cursor


def test_an_issue_becomes_a_signal_with_its_title_first(github: Double):
    github.script.append(answer(issue(7)))
    fetched = source(github).fetch(None, NOW)
    (signal,) = signals(source(github), fetched.records, is_first=False)
    assert signal.title == "Retries never stop in case 7"
    assert signal.content.splitlines()[1:] == ["Seen twice.", "", "", "1. start it", "2. wait"]
    assert (signal.source_product, signal.source_type, signal.source_id) == ("github", "issue", f"{REPOSITORY}#7")
    assert signal.extra["url"] == f"https://github.com/{REPOSITORY}/issues/7"
    assert signal.extra["project"] == "autoagent"
    json.dumps(signal.extra)


def test_switching_on_takes_the_newest_five_and_none_of_them_can_start_a_report(github: Double):
    github.script.append(answer(*(issue(number, minutes_ago=100 - number) for number in range(20, 0, -1))))
    fetched = source(github).fetch(None, NOW)
    found = signals(source(github), fetched.records, is_first=True)
    assert [signal.extra["number"] for signal in found] == [16, 17, 18, 19, 20]
    assert all(signal.extra["is_backfilled"] for signal in found)
    assert sum(signal.weight for signal in found) < 1.0


def test_pull_requests_are_left_out_and_do_not_use_up_the_five(github: Double):
    pulls = [issue(200 + n, pull_request={"url": "x"}) for n in range(100)]
    github.script += [answer(*pulls), answer(*(issue(n) for n in range(6)))]
    fetched = source(github).fetch(None, NOW)
    found = signals(source(github), fetched.records, is_first=True)
    assert len(found) == BACKFILL
    assert len(github.received) == 2


def test_the_next_look_asks_only_for_what_was_touched_since(github: Double):
    cursor = cursor_at(github, issue(7, minutes_ago=60))
    github.script.append(answer(issue(7, minutes_ago=8), issue(8, minutes_ago=5)))
    fetched = source(github).fetch(cursor, NOW)
    path = github.received[-1].path
    assert "since=2026-11-20T06%3A50" in path and "sort=updated" in path and "direction=asc" in path
    assert [one.number for one in fetched.records] == [7, 8]
    assert json.loads(fetched.cursor)["since"] == "2026-11-20T06:55:00+00:00"


def test_an_unchanged_list_is_asked_for_with_its_etag_and_costs_nothing(github: Double):
    cursor = cursor_at(github, issue(7))
    github.script.append(answer(issue(7), etag='"two"'))
    cursor = source(github).fetch(cursor, NOW).cursor
    github.script.append(Scripted(304, b"", {"ETag": '"two"'}))
    fetched = source(github).fetch(cursor, NOW)
    assert github.received[-1].headers["if-none-match"] == '"two"'
    assert (fetched.is_unchanged, fetched.records, fetched.cursor) == (True, (), cursor)


def test_an_etag_is_not_sent_to_another_address(github: Double):
    cursor = cursor_at(github, issue(7, minutes_ago=60))
    github.script.append(answer(issue(8, minutes_ago=5), etag='"old"'))
    cursor = source(github).fetch(cursor, NOW).cursor
    github.script.append(answer(issue(8, minutes_ago=5)))
    source(github).fetch(cursor, NOW)
    assert "if-none-match" not in github.received[-1].headers


def test_a_cursor_that_cannot_be_read_begins_anew(github: Double):
    github.script.append(answer(issue(7)))
    source(github).fetch("{]", NOW)
    assert "since" not in github.received[-1].path


REFUSALS = {
    "revoked": (json_answer({"message": "Bad credentials"}, 401), "GitHub refused the token.* GITHUB_TOKEN"),
    "forbidden": (
        json_answer({"message": "Resource not accessible by personal access token"}, 403),
        r"refuses the issues of acme/autoagent \(Resource not accessible.*Issues: read",
    ),
    "secondary limit": (
        json_answer(
            {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."},
            403,
            headers={"Content-Type": "application/json", "Retry-After": "3600"},
        ),
        r"slow down \(secondary rate limit\).*again in 3600 s",
    ),
    "primary limit": (json_answer({"message": "API rate limit exceeded for 1.2.3.4."}, 403), "slow down"),
    "not there": (json_answer({"message": "Not Found"}, 404), "GitHub knows no acme/autoagent, or the token may not"),
    "no issues": (json_answer({"message": "Issues are disabled for this repo"}, 410), "GitHub has no issues of"),
    "broken": (json_answer({"message": "oops"}, 502), r"GitHub itself has a problem \(HTTP 502\)"),
    "truncated": (Scripted(200, json.dumps([issue(1)]).encode(), cut=40), "was cut short"),
    "half a document": (Scripted(200, b'[{"number": 1'), "was cut short"),
    "no issue": (json_answer([{"number": "seven"}]), "is not what it should be"),
    "another page": (Scripted(200, b"<html>log in</html>", {"Content-Type": "text/html"}), "not a list of issues"),
    "gone": (Scripted(vanishes=True), "GitHub cannot be reached"),
    "moved": (
        Scripted(301, b"", {"Location": "https://elsewhere.example/repositories/1/issues"}),
        "acme/autoagent has moved",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_goes_wrong_is_said_in_a_sentence_without_the_token(name: str, github: Double):
    scripted, said = REFUSALS[name]
    github.script.append(scripted)
    with pytest.raises(LoopdeskError, match=said) as raised:
        source(github).fetch(None, NOW)
    assert TOKEN not in str(raised.value)
    assert len(github.received) == 1  # asked once: no retry sleeps as long as the answer says


def test_an_answer_that_does_not_come_is_given_up(github: Double):
    github.script.append(Scripted(200, b"[]", hangs=True))
    with pytest.raises(LoopdeskError, match="did not answer about acme/autoagent in time"):
        source(github, timeout_s=1).fetch(None, NOW)
    github.release.set()


@pytest.mark.parametrize("name", ["../etc", "acme", "acme/../x", "acme/..", "a b/c", "acme/x?y", ""])
def test_a_name_that_is_no_repository_is_never_asked_for(name: str, github: Double):
    with pytest.raises(LoopdeskError, match="is not a repository"):
        GitHubIssues(name, api=github.url).fetch(None, NOW)
    assert github.received == []


def test_hostile_text_is_carried_as_plain_text():
    found = issue_of(
        REPOSITORY,
        issue(
            1,
            title="\x1b[31m$(rm -rf ~)\u202e`id`",
            body="a\x1b]0;x\x07b\n<!-- hidden: obey -->\n" + "y" * 9000,
            html_url="javascript:alert(1)",
            labels=[{"name": "\x1b[1mbug"}],
        ),
    )
    assert found.title == "$(rm -rf ~)`id`"
    assert found.body.startswith("ab\n") and "obey" not in found.body and len(found.body) <= 3000
    assert (found.url, found.labels) == ("", ("bug",))


def test_the_token_is_in_no_repr():
    assert TOKEN not in repr(GitHubIssues(REPOSITORY, token=TOKEN))


def test_the_table_names_repositories_and_their_loops():
    table = {"repositories": ["acme/autoagent=autoagent", "acme/site"], "weight": 0.25}
    found = configured(table, TOKEN)
    assert [(one.repository, one.project, one.weight) for one in found] == [
        ("acme/autoagent", "autoagent", 0.25),
        ("acme/site", "", 0.25),
    ]
    assert configured({**table, "enabled": False}, TOKEN) == ()
    with pytest.raises(LoopdeskError, match="does not know: repos"):
        configured({"repos": []}, TOKEN)


def test_pygithub_is_loaded_only_when_github_is_asked():
    code = "import sys, engine.sources.github_issues; print({'github', 'requests'} & {*sys.modules})"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"
