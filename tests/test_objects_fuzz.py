"""Whatever a script posts, the answer is PostHog's 400 or an object that every later request can live with."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.datastructures import URL

from queries.local.objects import ObjectStore
from queries.local.rest.annotations import Annotations
from queries.local.rest.asked import Asked
from queries.local.rest.documents import parse_object
from queries.local.rest.experiments import Experiments
from queries.local.rest.feature_flags import FeatureFlags
from queries.local.rest.flags import Flags
from queries.local.rest.problems import Problem
from queries.local.store import Store

NOW = datetime(2026, 11, 20, 7, 12, tzinfo=UTC)
_words = st.sampled_from(
    ["", "a", "control", "test", "true", "flag", "person", "cohort", "flag_evaluates_to", "gt", "regex", "(", "exact",
     "1", "project", "tag", "2026-01-01T00:00:00Z", "is_date_before", "semver_caret", "{}", "[", "\0", "é"]
)  # fmt: skip
_keys = st.sampled_from(
    [
        "key",
        "name",
        "active",
        "deleted",
        "filters",
        "groups",
        "properties",
        "type",
        "operator",
        "value",
        "variant",
        "rollout_percentage",
        "multivariate",
        "variants",
        "payloads",
        "true",
        "aggregation_group_type_index",
        "holdout",
        "id",
        "exclusion_percentage",
        "early_exit",
        "tags",
        "version",
        "scope",
        "content",
        "date_marker",
        "emoji",
        "parameters",
        "feature_flag_key",
        "feature_flag_variants",
        "feature_flag",
        "start_date",
        "end_date",
        "archived",
        "variant_key",
        "metrics",
        "dashboard_id",
        "person_properties",
        "distinct_id",
    ]
)
_numbers = st.one_of(st.integers(-1, 101), st.floats(allow_nan=False, allow_infinity=False), st.just(10**400))
_leaves = st.one_of(st.none(), st.booleans(), _numbers, _words)
_values = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=4), max_leaves=12
)
_variant = st.fixed_dictionaries({"key": _words, "rollout_percentage": st.sampled_from([0, 50, 100, "50", None])})
_filter = st.fixed_dictionaries(
    {"key": _words | _leaves}, optional={"operator": _words, "value": _values, "type": _words}
)
_filters = st.fixed_dictionaries(
    {"groups": st.lists(st.fixed_dictionaries({"properties": st.lists(_filter, max_size=2)}), max_size=2)},
    optional={"multivariate": st.fixed_dictionaries({"variants": st.lists(_variant, max_size=2)}), "payloads": _values},
)
_body = st.dictionaries(_keys, _values, max_size=5)
_named = st.fixed_dictionaries(
    {"key": _words, "name": _words, "feature_flag_key": _words},
    optional={"filters": _filters | _values, "parameters": _values, "active": st.booleans()},
)
Make = Callable[[ObjectStore], FeatureFlags | Annotations | Experiments]


@pytest.mark.parametrize("resource", [FeatureFlags, Annotations, Experiments])
@settings(
    max_examples=100,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(first=_named | _body, then=_named | _body, asked=_body)
def test_no_body_breaks_a_handler(resource: Make, first: dict, then: dict, asked: dict, tmp_path: Path):
    # A workspace for each: a key that an earlier example took would be refused, and nothing tried.
    path = tmp_path / f"{uuid4()}.db"
    Store.open(path).close()
    store = ObjectStore(path)
    rest = resource(store)

    def ask(handler: Callable, body: dict, **params: str) -> dict | None:
        try:
            read = parse_object(json.dumps(body).encode())
            _, answer = handler(Asked(URL("http://localhost/"), NOW, params, {}, read))
        except Problem as problem:
            assert 400 <= problem.status < 500
            problem.response()
            return None
        json.dumps(answer, allow_nan=False, ensure_ascii=False).encode()
        return answer

    made = ask(rest.create, first)
    if made is not None:
        id = str(made["id"])
        ask(rest.change, then, id=id)
        if isinstance(rest, Experiments):
            for move in (rest.launch, rest.pause, rest.resume, rest.ship_variant, rest.end, rest.archive, rest.reset):
                ask(move, then, id=id)
    assert ask(rest.listing, {}) is not None
    flags = Flags(store)
    flags.definitions()
    try:
        flags.answer({"distinct_id": "a", **asked}, 4, False, NOW)
    except Problem as problem:
        assert problem.status == 400
