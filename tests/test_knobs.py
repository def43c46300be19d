"""Known knobs: described in the config, made as flags on either PostHog, and read by the real SDK."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from posthog import Posthog

from queries.remote_errors import PostHogUnreachable
from queries.rest import LocalRest, Rest
from queries.rest_flags import FlagMoved, apply, budgeted, flag_named, flags, rolled_out, switched
from queries.rest_knobs import Creation, create
from tests.conftest import Served
from workspace import config
from workspace.config import Config
from workspace.errors import LoopdeskError
from workspace.knobs import BUDGET, KILL_SWITCH, KNOWN, Knob, knobs

OWN = """
[knobs.scorer_v2]
description = "Ours."

[knobs.weekend]
description = "A weekend's night."
kind = "budget"
usd = 50.5

[knobs.halt]
description = "Stop."
kind = "kill_switch"

[knobs.temperature]
description = "What the proposer samples with."
payload = { value = 0.7 }
"""


def read(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Config:
    (folder / "config.toml").write_text(text)
    (folder / "config.toml").chmod(0o600)
    monkeypatch.setenv("LOOPDESK_CONFIG_DIR", str(folder))
    return config.load()


def test_the_owners_knobs_lie_over_those_that_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    found = read(tmp_path, OWN, monkeypatch).knobs
    assert found.keys() == KNOWN.keys() | {"weekend", "halt", "temperature"}
    assert (found["scorer_v2"].description, found["scorer_v2"].variants) == ("Ours.", ("control", "test"))
    assert found["weekend"] == Knob("weekend", "A weekend's night.", BUDGET, '{"usd": 50.5}')
    assert found["halt"].kind == KILL_SWITCH and json.loads(found["temperature"].payload) == {"value": 0.7}
    assert Config().knobs == KNOWN


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (7, "table of knobs"),
        ({"a": 7}, "must be a table"),
        ({"a b": {"description": "x"}}, "no flag can be"),
        ({"a": {"description": "x", "knid": "flag"}}, "does not know: knid"),
        ({"a": {}}, "needs a description"),
        ({"a": {"description": " "}}, "needs a description"),
        ({"a": {"description": "x", "kind": "bugdet"}}, "bugdet"),
        ({"a": {"description": "x", "kind": ["flag"]}}, "must be flag"),
        ({"a": {"description": "x", "kind": "budget"}}, "of how much"),
        *(({"a": {"description": "x", "kind": "budget", "usd": usd}}, "number of USD")
          for usd in (-1, "20", True, float("nan"), 1e300)),
        ({"a": {"description": "x", "usd": 2}}, "belongs to a budget"),
        ({"stop_loops": {"payload": 2}}, "belongs to a flag"),
        ({"a": {"description": "x", "payload": float("inf")}}, "no JSON"),
        *(({"a": {"description": "x", "variants": names}}, "the first one control")
          for names in ("control", ["control"], ["test", "control"], ["control", "control"], ["control", 7])),
        ({"a": {"description": "x", "variants": ["control", "b"], "payload": 1}}, "both"),
    ],
)  # fmt: skip
def test_a_knob_that_makes_no_sense_is_one_sentence(table: object, said: str):
    with pytest.raises(LoopdeskError, match=said):
        knobs(table)


def test_a_kind_of_its_own_inherits_nothing():
    found = knobs({"nightly_budget_20usd": {"kind": "flag"}, "scorer_v2": {"payload": 1}})
    assert found["nightly_budget_20usd"].payload == "" and found["scorer_v2"].variants == ()
    assert knobs({"nightly_budget_20usd": {"usd": 30}})["nightly_budget_20usd"].payload == '{"usd": 30}'


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    return serve()


@pytest.fixture
def rest(served: Served) -> Rest:
    return LocalRest(Config(workspace_dir=str(served.events_db.parent), backend="embedded"))


def test_every_known_knob_is_made_once_off_and_with_its_meaning(rest: Rest):
    for knob in KNOWN.values():
        made, is_new = create(rest, Creation(knob))
        assert is_new and not made.is_on and made.name == knob.description
        assert create(rest, Creation(knob)) == (made, False)
    assert {flag.key for flag in flags(rest)} == KNOWN.keys()
    assert {flag.key for flag in flags(rest) if flag.goes_by_round} == {"scorer_v2", "gtm_dim_weights_v3"}
    three = Creation(Knob("three", "x", variants=("control", "a", "b")))
    assert "off, with the variants control 34 %, a 33 %, b 33 %, drawn for each round" in three.said
    assert create(rest, three)[0].shares == {"control": 34, "a": 33, "b": 33}


def test_a_lost_answer_makes_no_second_flag(rest: Rest):
    class Lossy:
        place = rest.place
        sent = 0

        def ask(self, method: str, path: str, document: dict | None = None) -> object:
            found = rest.ask(method, path, document)
            if method == "POST":
                self.sent += 1
                raise PostHogUnreachable("the answer was lost")
            return found

        def close(self) -> None:
            pass

    lossy = Lossy()
    assert create(lossy, Creation(KNOWN["scorer_v2"]))[0] == flag_named(rest, "scorer_v2")
    assert not create(lossy, Creation(KNOWN["scorer_v2"]))[1] and lossy.sent == 1


def test_a_budget_is_changed_after_it_was_read_again(rest: Rest):
    budget = Knob("night", "x", BUDGET, '{"usd": 20, "note": "ours"}')
    flag, _ = create(rest, Creation(budget))
    assert flag.usd == 20
    change = budgeted(flag, 25.5)
    assert change.said == "night: budget $20 → $25.5"
    after = apply(rest, change)
    assert after.usd == 25.5 and after.rollout == flag.rollout and not after.is_on
    assert json.loads(after.filters["payloads"]["true"])["note"] == "ours"  # type: ignore[index]
    with pytest.raises(FlagMoved, match=r"its budget is \$25.5"):
        apply(rest, budgeted(flag, 30))
    assert apply(rest, rolled_out(after, 50)).usd == 25.5
    plain, _ = create(rest, Creation(KNOWN["aggressive_escalation"]))
    for wrong in (lambda: budgeted(plain, 3), lambda: budgeted(after, 25.5), lambda: budgeted(after, -1),
                  lambda: budgeted(after, float("nan"))):  # fmt: skip
        with pytest.raises(LoopdeskError):
            wrong()


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "20",
        "[]",
        '{"usd": "20"}',
        '{"usd": true}',
        '{"usd": NaN}',
        '{"usd": 1e999}',
        '{"usd": -1}',
        "{",
        '{"USD": 2}',
    ],
)
def test_what_holds_no_dollars_is_no_budget(payload: str, rest: Rest):
    class Odd:
        place = rest.place

        def ask(self, method: str, path: str, document: dict | None = None) -> object:
            return {"results": [{"id": 1, "key": "night", "filters": {"groups": [], "payloads": {"true": payload}}}]}

        def close(self) -> None:
            pass

    (flag,) = flags(Odd())
    assert flag.usd is None


@pytest.mark.parametrize("is_local", [True, False])
def test_the_real_sdk_reads_what_was_made(is_local: bool, served: Served, rest: Rest):
    for name in ("nightly_budget_20usd", "scorer_v2", "stop_loops"):
        flag, _ = create(rest, Creation(KNOWN[name]))
        if name != "stop_loops":
            apply(rest, switched(flag, True))
    apply(rest, budgeted(flag_named(rest, "nightly_budget_20usd"), 12))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        options = {"personal_api_key": served.personal_key, "poll_interval": 3600} if is_local else {}
        client = Posthog(served.project_key, host=served.url, **options)
    try:
        if is_local:
            client.load_feature_flags()
        rounds = [
            client.get_all_flags_and_payloads(
                "autoagent:acme:critic", device_id=f"round-{place}", only_evaluate_locally=is_local
            )
            for place in range(12)
        ]
    finally:
        client.shutdown()
    assert {found["featureFlags"]["scorer_v2"] for found in rounds} == {"control", "test"}
    found = rounds[0]
    values = found["featureFlags"]
    assert values["nightly_budget_20usd"] is True and values["stop_loops"] is False
    payload = found["featureFlagPayloads"]["nightly_budget_20usd"]
    assert (json.loads(payload) if isinstance(payload, str) else payload) == {"usd": 12}
