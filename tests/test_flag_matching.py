"""One property against one filter: the SDK's own evaluator is the oracle, over values that nobody would think of."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from posthog import feature_flags as sdk

from queries.local.flags import instants, patterns
from queries.local.flags.bucketing import chosen_variant, held_out, share
from queries.local.flags.definition import Holdout, PropertyFilter, Variant
from queries.local.flags.dependencies import chain, has_circle, in_order
from queries.local.flags.filters import FiltersRefused, checked
from queries.local.flags.matching import OPERATORS, matches

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)

_words = st.sampled_from(
    ["", "true", "False", "TRUE", "pro", "PRO", "İ", "ß", "é", "É", "a\nb", "0", "-1.5", "1e3", " 7", "٣"]
)
_versions = st.sampled_from(
    ["1", "v1.2", "1.2.3", "01.2.3", "1.2.3-rc.1", "1.2.3+b", "V0.2", "1.*", "*", "1.2.*", "1..3", "x"]
)
_dates = st.sampled_from(
    ["2026-01-01", "2026-01-01T10:00:00Z", "2026-01-01 10:00:00 +02:00", "2025-12-31 UTC", "2024", "20260101", "soon"]
)
_ago = st.sampled_from(["7d", "-1m", "3y", "12h", "2w", "9999y", "10000d", "1x"])
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    _words,
    _versions,
    _dates,
)
_id = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_values = st.one_of(
    _scalars,
    st.lists(_scalars, max_size=3),
    st.dictionaries(st.sampled_from(["a", "b"]), st.one_of(_scalars, st.lists(_scalars, max_size=2)), max_size=2),
)


def test_every_operator_of_the_sdk_is_known():
    assert set(sdk.PROPERTY_OPERATORS) == OPERATORS


@settings(max_examples=2500, derandomize=True, deadline=None)
@given(operator=st.sampled_from(sorted(OPERATORS)), wanted=st.one_of(_values, _ago), value=_values)
@example(operator="exact", wanted=1.5e-7, value="1.5e-7")
@example(operator="exact", wanted=1e22, value="1e+22")
@example(operator="icontains", wanted="É", value="é")
@example(operator="is_not", wanted=[], value=[])
@example(operator="regex", wanted="^a$", value="a\n")
def test_a_verdict_of_the_sdk_is_ours(operator: str, wanted: object, value: object):
    asked = {"key": "k", "operator": operator, "value": wanted}
    try:
        verdict = sdk.match_property(asked, {"k": value})
    except sdk.InconclusiveMatchError:
        # What the SDK cannot decide it leaves to the server; whatever that says, it may not break.
        assert matches(PropertyFilter("k", operator, wanted), {"k": value}, datetime.now(UTC)) in (True, False)
        return
    assert matches(PropertyFilter("k", operator, wanted), {"k": value}, datetime.now(UTC)) is verdict


_PIECES = ["a", "7", r"\d", r"\w", r"\s", r"\S", r"\W", ".", "[a-c]", "[^7]", r"[\w-]", "(a|b)", "(?:7)", "^", "$", "é"]


@settings(max_examples=800, derandomize=True, deadline=None)
@given(
    pieces=st.lists(st.tuples(st.sampled_from(_PIECES), st.sampled_from(["", "*", "+", "?", "{1,3}"])), max_size=5),
    text=st.text(alphabet="ab7é _-.\n٣", max_size=12),
)
def test_a_pattern_finds_what_it_finds_for_the_sdk(pieces: list[tuple[str, str]], text: str):
    pattern = "".join(piece + times for piece, times in pieces)
    try:
        verdict = sdk._match_regex(pattern, text)
    except sdk.InconclusiveMatchError:
        assume(False)
    assert bool(patterns.found(pattern, text)) is bool(verdict)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(key=_id, bucket=_id)
def test_hashes_are_the_sdks(key: str, bucket: str):
    variants = [Variant(str(number), 10) for number in range(9)]
    documents = [{"key": variant.key, "rollout_percentage": 10} for variant in variants]
    flag = {"key": key, "filters": {"multivariate": {"variants": documents}}}
    assert share(key, bucket) == sdk._hash(key, bucket)
    assert chosen_variant(key, bucket, variants) == sdk.get_matching_variant(flag, bucket)
    held = {"filters": {"holdout": {"id": 3, "exclusion_percentage": 40}}}
    assert held_out(Holdout(3, 40), bucket) == sdk._get_holdout_variant(held, bucket)


@pytest.mark.parametrize(
    ("operator", "verdict"),
    [("exact", False), ("is_not", True), ("is_set", False), ("is_not_set", True), ("not_icontains", True),
     ("not_regex", True), ("gt", False), ("regex", False), ("semver_neq", False), ("is_date_before", False)],
)  # fmt: skip
def test_a_property_that_is_missing_matches_only_what_denies(operator: str, verdict: bool):
    """The SDK asks the server here, so the server must know."""
    assert matches(PropertyFilter("k", operator, "1"), {}, NOW) is verdict


@pytest.mark.parametrize(
    ("ago", "then"),
    [("2m", "2026-01-28"), ("1m", "2026-02-28"), ("-36h", "2026-03-30"), ("1w", "2026-03-24"), ("2y", "2024-03-31")],
)
def test_so_long_ago_clamps_days_as_the_sdk_does(ago: str, then: str):
    assert f"{instants.parse_bound(ago, NOW):%Y-%m-%d}" == then


def test_flags_come_after_those_that_they_depend_on():
    graph = {1: (2, 3), 2: (3,), 3: (), 4: (5,), 5: (4,), 6: (99,)}
    order = in_order(graph)
    assert order.index(3) < order.index(2) < order.index(1)
    assert chain(1, graph) == [3, 2, 1]
    assert chain(4, graph) == []
    assert has_circle(5, graph) and not has_circle(6, graph)
    long = {number: (number + 1,) for number in range(5_000)}
    assert in_order(long)[0] == 4_999


GROUP = {"properties": [], "rollout_percentage": 50}
REFUSED: list[tuple[object, str]] = [
    ([], "must be an object"),
    ({"groups": {}}, None),
    ({"groups": [7]}, "must be an object"),
    ({"groups": [GROUP] * 201}, "200 at most"),
    ({"groups": [{**GROUP, "rollout_percentage": 101}]}, "0 to 100"),
    ({"groups": [{**GROUP, "rollout_percentage": True}]}, "0 to 100"),
    ({"groups": [{**GROUP, "rollout_percentage": "50"}]}, "0 to 100"),
    ({"groups": [{**GROUP, "properties": "x"}]}, "must be a list"),
    ({"groups": [{**GROUP, "properties": [{"key": 7}]}]}, "property's name"),
    ({"groups": [{**GROUP, "properties": [{"key": "a", "operator": "nosuch"}]}]}, "'nosuch'"),
    ({"groups": [{**GROUP, "properties": [{"key": "a", "operator": ["exact"]}]}]}, "not an operator"),
    ({"groups": [{**GROUP, "properties": [{"key": "a", "type": "event"}]}]}, "'event'"),
    ({"groups": [{**GROUP, "properties": [{"key": "id", "type": "cohort", "value": 3}]}]}, "Cohort with id 3"),
    ({"groups": [{**GROUP, "properties": [{"key": "a", "operator": "gt", "value": "x"}]}]}, "finite number"),
    (
        {"groups": [{**GROUP, "properties": [{"key": "a", "operator": "is_date_before", "value": "x"}]}]},
        "Invalid value",
    ),
    ({"groups": [{**GROUP, "properties": [{"key": "a", "operator": "semver_gt", "value": "x"}]}]}, "Invalid value"),
    ({"groups": [{**GROUP, "properties": [{"key": "a", "operator": "regex", "value": "("}]}]}, "missing"),
    ({"groups": [{**GROUP, "properties": [{"key": "a", "operator": "regex", "value": "(?=a)"}]}]}, "perl operator"),
    ({"groups": [{**GROUP, "properties": [{"key": "a", "operator": "regex", "value": "a" * 1001}]}]}, "1,000"),
    ({"groups": [{**GROUP, "properties": [{"key": "a", "operator": "regex", "value": ["a"]}]}]}, "not text"),
    ({"groups": [{**GROUP, "variant": 7}]}, "key of a variant"),
    ({"multivariate": {"variants": [{"key": "a", "rollout_percentage": 99}]}}, "sum to 100"),
    ({"multivariate": {"variants": [{"key": "a", "rollout_percentage": 50}] * 2}}, "unique"),
    ({"multivariate": {"variants": [{"key": 7, "rollout_percentage": 100}]}}, "needs a key"),
    ({"multivariate": {}}, "must be a list"),
    ({"multivariate": []}, "must be an object"),
    ({"payloads": {"false": "1"}}, "must be 'true'"),
    ({"payloads": {"true": "{"}}, "not valid JSON"),
    ({"payloads": {"true": "NaN"}}, "not valid JSON"),
    ({"aggregation_group_type_index": 5}, "0 to 4"),
    ({"aggregation_group_type_index": True}, "0 to 4"),
    ({"holdout": {"id": "x"}}, "numeric id"),
    ({"early_exit": "yes"}, "true or false"),
]


@pytest.mark.parametrize(("filters", "why"), REFUSED, ids=range(len(REFUSED)))
def test_filters_that_could_not_be_evaluated_are_refused(filters: object, why: str | None):
    if why is None:
        assert checked(filters, NOW)["groups"] == []
        return
    with pytest.raises(FiltersRefused, match=re.escape(why)):
        checked(filters, NOW)


def test_a_payload_that_is_json_is_kept_as_its_text():
    assert checked({"payloads": {"true": {"n": 1}}}, NOW)["payloads"] == {"true": '{"n": 1}'}
