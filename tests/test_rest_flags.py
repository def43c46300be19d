"""Flags changed from the desk: on the embedded store by itself, over HTTP, and on a PostHog that says no."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from queries.limiter import Limiter, account
from queries.remote_errors import KeyRefused, PostHogConflict
from queries.remote_exchange import Exchanges
from queries.remote_http import Transport
from queries.rest import RemoteRest, Rest, Unanswered
from queries.rest_flags import (
    Change,
    FlagMoved,
    apply,
    budgeted,
    flag_named,
    flag_of,
    flags,
    rolled_out,
    switched,
)
from tests.conftest import Served
from tests.posthog_double import Double, Received, Scripted, json_answer, page, refusal
from tests.rest_calls import EVERYONE, HALVES
from workspace.errors import LoopdeskError
from workspace.knobs import MOST_USD

KEY = "phx_" + "s3cret" * 6
Made = dict[str, object]


@pytest.fixture
def open_remote(tmp_path: Path) -> Iterator[Callable[..., RemoteRest]]:
    opened: list[RemoteRest] = []

    def connect(url: str, key: str = KEY) -> RemoteRest:
        limiter = Limiter(tmp_path / "limits")
        opened.append(RemoteRest(Exchanges(Transport(url, key), limiter, account(url, key), pause=lambda _: None)))
        return opened[-1]

    yield connect
    for rest in opened:
        rest.close()


@pytest.fixture
def rest(serve: Callable[..., Served], open_remote: Callable[..., RemoteRest], tmp_path: Path) -> Rest:
    served = serve(tmp_path / "served")
    return open_remote(served.url, served.personal_key)


def make(rest: Rest, key: str, **fields: object) -> None:
    rest.ask("POST", "feature_flags/", {"key": key, "filters": EVERYONE, "active": False, **fields})


def test_flags_are_listed_with_their_state_and_variants(rest: Rest):
    make(rest, "scorer_v2", filters={**EVERYONE, "multivariate": HALVES}, active=True)
    make(rest, "aggressive_escalation", name="Escalate \x1b[31mearly")
    found = flags(rest)
    assert [(one.key, one.is_on, one.rollout) for one in found] == [
        ("aggressive_escalation", False, 100),
        ("scorer_v2", True, 100),
    ]
    assert found[1].shares == {"control": 50, "test": 50} and "\x1b" not in found[0].name


def test_a_change_does_what_it_says_and_nothing_else(rest: Rest):
    make(rest, "scorer_v2", filters={**EVERYONE, "multivariate": HALVES, "payloads": {"test": '"x"'}})
    flag = flag_named(rest, "scorer_v2")
    assert switched(flag, True).said == "scorer_v2: off → on"
    after = apply(rest, switched(flag, True))
    assert after.is_on and after.filters == flag.filters
    change = rolled_out(after, 25)
    assert change.said == "scorer_v2: rollout 100 % → 25 %"
    last = apply(rest, change)
    assert last == flag_named(rest, "scorer_v2") and last.rollout == 25 and last.is_on
    assert last.variants == flag.variants and last.filters["payloads"] == flag.filters["payloads"]


def test_a_flag_that_changed_since_it_was_read_is_left_alone(rest: Rest):
    make(rest, "scorer_v2")
    seen = flag_named(rest, "scorer_v2")
    apply(rest, rolled_out(seen, 40))
    with pytest.raises(FlagMoved, match="its rollout is 40 %"):
        apply(rest, switched(seen, True))
    assert flag_named(rest, "scorer_v2").is_on is False


def test_a_change_between_reading_and_writing_is_seen(rest: Rest):
    make(rest, "scorer_v2")
    seen = flag_named(rest, "scorer_v2")

    class Racing:
        place = rest.place

        def ask(self, method: str, path: str, document: Made | None = None) -> object:
            if method == "PATCH":
                rest.ask("PATCH", path, {"filters": {"groups": [{"properties": [], "rollout_percentage": 7}]}})
            return rest.ask(method, path, document)

        def close(self) -> None:
            pass

    with pytest.raises(FlagMoved):
        apply(Racing(), switched(seen, True))
    now = flag_named(rest, "scorer_v2")
    assert (now.is_on, now.rollout) == (False, 7)


def test_what_changes_nothing_or_is_not_clear_is_refused_before_anything_is_sent(rest: Rest):
    make(rest, "plain")
    make(rest, "many", filters={"groups": [{"properties": [], "rollout_percentage": 5}] * 2})
    flag, many = flag_named(rest, "plain"), flag_named(rest, "many")
    for wrong in (lambda: switched(flag, False), lambda: rolled_out(flag, 100), lambda: rolled_out(flag, 101),
                  lambda: rolled_out(many, 10), lambda: flag_named(rest, "pla")):  # fmt: skip
        with pytest.raises(LoopdeskError):
            wrong()


def test_a_budget_that_could_not_be_read_back_is_not_written(rest: Rest):
    make(rest, "night", filters={**EVERYONE, "payloads": {"true": '{"usd": 20}'}})
    night = flag_named(rest, "night")
    for usd in (1e300, float("inf"), float("nan"), -1):
        with pytest.raises(LoopdeskError, match="is no budget"):
            budgeted(night, usd)
    assert budgeted(night, 0.000005).said == "night: budget $20 → $0.000005"
    assert apply(rest, budgeted(night, MOST_USD)).usd == MOST_USD


def document(**more: object) -> Made:
    return {"id": 3, "key": "scorer_v2", "name": "", "active": False, "filters": EVERYONE, "version": 4} | more


def test_a_missing_scope_is_one_sentence(open_remote: Callable[..., RemoteRest]):
    no = refusal(403, "API key missing required scope 'feature_flag:write'", "authentication_error")
    with Double([json_answer({"results": [document()]}), json_answer(document()), no]).running() as double:
        rest = open_remote(double.url)
        with pytest.raises(KeyRefused, match=r"lacks the scope `feature_flag:write`"):
            apply(rest, switched(flag_named(rest, "scorer_v2"), True))


def test_a_posthog_that_keeps_no_versions_is_compared_by_what_it_shows(open_remote: Callable[..., RemoteRest]):
    old, new = document(version=None), document(version=None, active=True)
    with Double([json_answer({"results": [old]}), json_answer(old), json_answer(new)]).running() as double:
        rest = open_remote(double.url)
        assert apply(rest, switched(flag_named(rest, "scorer_v2"), True)).is_on
        assert double.received[-1].body == {"active": True}


def test_an_answer_that_leaves_the_flag_as_it_was_is_no_success(open_remote: Callable[..., RemoteRest]):
    same = json_answer(document())
    with Double([json_answer({"results": [document()]}), same, same]).running() as double:
        rest = open_remote(double.url)
        change: Change = switched(flag_named(rest, "scorer_v2"), True)
        with pytest.raises(LoopdeskError, match="did not change scorer_v2"):
            apply(rest, change)


def test_what_was_sent_and_did_something_else_is_not_called_unsent(open_remote: Callable[..., RemoteRest]):
    other = json_answer(document(version=5))
    with Double([json_answer({"results": [document()]}), json_answer(document()), other]).running() as double:
        rest = open_remote(double.url)
        with pytest.raises(LoopdeskError, match="did not change scorer_v2") as met:
            apply(rest, switched(flag_named(rest, "scorer_v2"), True))
        assert not isinstance(met.value, FlagMoved)


@pytest.mark.parametrize("odd", ["50%", [], {}, True, float("inf"), 10**400])
def test_numbers_that_are_none_do_not_hide_the_other_flags(odd: object):
    several = {"variants": [{"key": "control", "rollout_percentage": odd}]}
    filters = {"groups": [{"rollout_percentage": odd}], "multivariate": several, "payloads": {"true": {"usd": odd}}}
    found = flag_of(document(filters=filters))
    assert found is not None and (found.rollout, found.usd, found.shares) == (None, None, {"control": 0})


def test_a_project_with_thousands_of_flags_is_listed_whole(open_remote: Callable[..., RemoteRest]):
    def answer(received: Received) -> Scripted:
        offset = int(received.path.partition("offset=")[2])
        rows = [document(id=place, key=f"flag-{place}") for place in range(offset, min(offset + 100, 2_000))]
        return json_answer({"results": rows, "next": "more" if offset + 100 < 2_000 else None})

    with Double([], answer).running() as double:
        assert len(flags(open_remote(double.url))) == 2_000


@pytest.mark.parametrize(
    ("code", "said", "means"),
    [("conflict", "Somebody edits it", "conflicts with another"), ("approval_required", "Ask Ann", "approved first")],
)
def test_a_conflict_is_a_sentence_and_not_tried_again(
    code: str, said: str, means: str, open_remote: Callable[..., RemoteRest]
):
    no = refusal(409, said, "server_error", code)
    same = json_answer(document())
    with Double([json_answer({"results": [document()]}), same, no, same]).running() as double:
        rest = open_remote(double.url)
        with pytest.raises(PostHogConflict, match=f"{means}: {said}"):
            apply(rest, switched(flag_named(rest, "scorer_v2"), True))
        assert sum(one.method == "PATCH" for one in double.received) == 1


def test_a_gateways_answer_to_a_change_is_looked_after(open_remote: Callable[..., RemoteRest]):
    patched: list[Received] = []

    def answer(received: Received) -> Scripted:
        if received.method == "PATCH":
            patched.append(received)
            return page(502)
        there = document(active=True, version=5) if patched else document()
        return json_answer({"results": [there]} if "?" in received.path else there)

    with Double([], answer).running() as double:
        rest = open_remote(double.url)
        assert apply(rest, switched(flag_named(rest, "scorer_v2"), True)).is_on


@pytest.mark.parametrize("is_back", [True, False])
def test_a_change_whose_answer_is_lost_is_never_called_undone(is_back: bool, open_remote: Callable[..., RemoteRest]):
    """PostHog does it and goes away; what is there afterwards says it, or nobody knows."""
    patched: list[Received] = []

    def answer(received: Received) -> Scripted:
        if received.method == "PATCH":
            patched.append(received)
        if received.method == "PATCH" or (patched and not is_back):
            return Scripted(vanishes=True)
        there = document(active=True, version=5) if patched else document()
        return json_answer({"results": [there]} if "?" in received.path else there)

    with Double([], answer).running() as double:
        rest = open_remote(double.url)
        wanted = switched(flag_named(rest, "scorer_v2"), True)
        if is_back:
            assert apply(rest, wanted).is_on
        else:
            with pytest.raises(Unanswered, match="Whether scorer_v2 changed is not known"):
                apply(rest, wanted)
