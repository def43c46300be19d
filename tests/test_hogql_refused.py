"""What is outside the dialect is PostHog's 400, naming the thing and its place."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from queries.local.hogql.compiler import HogQLError, compile_query
from tests.conftest import Served
from tests.hogql_refused import REFUSED, TYPES
from tests.test_server import ask, post


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_supported_is_refused_by_name_and_place(text: str) -> None:
    says, where = REFUSED[text]
    with pytest.raises(HogQLError) as caught:
        compile_query(text, TYPES)
    assert says in str(caught.value)
    if where:
        assert caught.value.start is not None and caught.value.end is not None
        assert text[caught.value.start :].startswith(where)
        assert caught.value.end > caught.value.start


def test_every_refusal_over_http_is_posthogs_400(serve: Callable[..., Served]) -> None:
    served = serve()
    values = {"since": "2026-01-01T00:00:00Z", "n": 1, "names": ["a"]}
    assert len(REFUSED) >= 150
    for text, (says, where) in REFUSED.items():
        code, answer = ask(served, text, **values)
        assert (code, answer["type"], answer["attr"]) == (400, "validation_error", None), text
        assert answer["code"] == "invalid_input" and says in answer["detail"], text
        if where:
            assert text[answer["extra"]["start"] :].startswith(where), text


def test_a_refusal_changes_nothing_and_the_next_query_is_answered(serve: Callable[..., Served]) -> None:
    served = serve()
    for text in ("DROP TABLE events", "SELECT intDiv(1, length(event) - length(event)) FROM (SELECT 'a' AS event)"):
        assert ask(served, text)[0] == 400
    code, answer = ask(served, "SELECT count() FROM events")
    assert (code, answer["results"]) == (200, [[0]])


@pytest.mark.parametrize("values", [{"v": {"a": 1}}, {"v": [[1]]}, {"v": 2**70}, {"v": [{"a": 1}]}])
def test_a_value_of_any_json_shape_is_bound_or_refused(values: dict, serve: Callable[..., Served]) -> None:
    served = serve()
    body = {"query": {"kind": "HogQLQuery", "query": "SELECT {v} AS v", "values": values}}
    code, text = post(served.url + "/api/projects/1/query/", body, Authorization=f"Bearer {served.personal_key}")
    assert code in (200, 400) and isinstance(json.loads(text), dict)
