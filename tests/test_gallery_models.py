"""Latency, errors and tokens by hand-made calls, each figure counted by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queries.gallery.models import BOARDS, SIBLINGS
from queries.gallery.sheet import Sheet, Tone
from tests.gallery_store import NIGHT, Filled, assert_whole, filled
from tests.hand_made import (
    LAST_NIGHT,
    TONIGHT,
    any_results,
    cells,
    event,
    rounds_behind,
    row_of,
    sheet,
)

HOUR = timedelta(hours=1)


def _calls() -> Iterator[dict]:
    for second in range(1, 101):
        at = TONIGHT + timedelta(seconds=second)
        # The slow model takes 1 to 100 seconds, half of that the night before; its two failures take far longer.
        slow = {"ai_model": "slow", "client": "acme"}
        yield event("$ai_generation", at, "calls", **slow, ai_latency=float(second), round_id=f"R{second % 2}")
        yield event("$ai_generation", at - timedelta(days=1), "calls", **slow, ai_latency=second / 2)
    for place in range(2):
        yield event("$ai_generation", TONIGHT, "calls", ai_model="slow", ai_latency=999.0, ai_is_error=True)
        yield event("$ai_generation", TONIGHT + HOUR, "calls", ai_model="slow", ai_latency=30.0 + place, client="beta")
    for place in range(40):
        yield event("$ai_generation", TONIGHT, "calls", ai_model="quick", ai_latency="2.5", client="beta")
        if place < 10:
            yield event("$ai_generation", TONIGHT, "calls", ai_model="quick", ai_is_error=True, client="beta")
    yield event("$ai_generation", TONIGHT, "calls", ai_model="rare", ai_latency=5_000)
    yield event("$ai_generation", TONIGHT, "calls", ai_model="rare", ai_latency="long")
    yield event("$ai_generation", TONIGHT, "calls", ai_latency=1.0)
    yield event("$ai_generation", TONIGHT, "calls", ai_model="", ai_latency=1.0)
    yield event("$ai_generation", TONIGHT, "loopdesk", ai_model="slow", ai_latency=7_777)
    for place in range(3):
        yield event("$ai_generation", TONIGHT, "three", ai_model="m", ai_latency=60.0 + place)
    for place in range(30):
        yield event("$ai_generation", TONIGHT, "silent", ai_model="m", ai_is_error=place < 1)
    # Failing once in a hundred calls the night before, nine times tonight: fewer than is unreliable, yet no chance.
    for place in range(400):
        yield event("$ai_generation", TONIGHT, "worse", ai_model="m", ai_latency=1.0, ai_is_error=place < 16)
        yield event("$ai_generation", LAST_NIGHT, "worse", ai_model="m", ai_latency=1.0, ai_is_error=place < 1)


def _requests() -> Iterator[dict]:
    for place in range(20):
        told = {"model_used": "m", "round_id": "R7"}
        yield event("token_machine.request", TONIGHT, "calls", **told, latency_ms=100 * (place + 1))
        yield event("token_machine.request", TONIGHT, "loopdesk", **told, latency_ms=10**9)
    yield event("token_machine.request", TONIGHT, "calls", model_used="m", latency_ms="fast")
    yield event("token_machine.request", TONIGHT, "calls", latency_ms="300")
    yield event("round_started", TONIGHT, "calls", round_id="R7")


def _tokens() -> Iterator[dict]:
    for place in range(20):
        tonight, before = TONIGHT + timedelta(minutes=place), LAST_NIGHT + timedelta(minutes=place)
        # Two proposals a round, 3,000 prompt tokens in all; the night before one with 1,000.
        for name, at, each, prompt in (("grows", tonight, 2, 1_500), ("grows", before, 1, 1_000)):
            for _ in range(each):
                told = {"prompt_tokens": prompt, "completion_tokens": "50", "round_id": f"{name}{at:%d}{place}"}
                yield event("proposal_generated", at, name, **told)
        steady = {"prompt_tokens": 9_000, "completion_tokens": 200, "round_id": f"S{place}"}
        yield event("proposal_generated", tonight, "steady", **steady)
        yield event("proposal_generated", before, "steady", **steady | {"round_id": f"S-{place}"})
        talks = {"prompt_tokens": 100, "completion_tokens": 90, "round_id": f"T{place}"}
        yield event("proposal_generated", tonight, "talks", **talks)
        yield event(
            "proposal_generated", before, "talks", **talks | {"completion_tokens": 30, "round_id": f"T-{place}"}
        )
        # Three calls of a round, one of them failed.
        for part in range(3):
            call = {"round_id": f"grows19{place}", "ai_is_error": part == 2 or None}
            used = {"ai_input_tokens": 700, "ai_output_tokens": 30} if part < 2 else {}
            yield event("$ai_generation", tonight + part * HOUR, "grows", ai_model="m", **call, **used)
    yield event("proposal_generated", TONIGHT, "grows", prompt_tokens=10**9, completion_tokens=1)
    for place in range(5):
        yield event("proposal_generated", TONIGHT, "grows", prompt_tokens="?", round_id=f"none{place}")
    for place in range(3):
        yield event("proposal_generated", TONIGHT, "few", prompt_tokens=9 * 10**6, round_id=f"F{place}")
        yield event("proposal_generated", LAST_NIGHT, "few", prompt_tokens=9, round_id=f"F-{place}")
    yield event("proposal_generated", TONIGHT, "untold", round_id="U")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    with filled(tmp_path_factory.mktemp("models"), [*_calls(), *_requests(), *_tokens()]) as made:
        yield made


class TestLatency:
    def test_median_and_p95_are_of_the_calls_that_did_not_fail(self, store: Filled):
        slow = cells(sheet(BOARDS["latency"], store, "calls"), "slow")
        # 1 to 100, and 30 and 31 a second time: of 102 values the 52nd is 50, the 97th 95.
        assert (slow["median"], slow["p95"], slow["before"]) == (50, 95, 48)
        assert (slow["calls"], slow["failed"]) == (104, 2 / 104)

    def test_the_slowest_comes_first_and_a_model_with_few_calls_last(self, store: Filled):
        found = sheet(BOARDS["latency"], store, "calls")
        assert [row.cells[0] for row in found.rows] == ["slow", "quick", "rare", "(no model)"]
        assert found.verdict == "slow is slowest: p95 1m 35s, 2.0× the night before; 20 % of quick's calls failed."

    def test_words_tell_what_changed_and_what_fails(self, store: Filled):
        found = sheet(BOARDS["latency"], store, "calls")
        told = {row.cells[0]: (row.word, row.tone) for row in found.rows}
        assert told["slow"] == ("slower", Tone.BAD)
        assert told["quick"] == ("unreliable", Tone.BAD)
        assert told["rare"] == ("few calls", Tone.PLAIN)

    def test_more_failures_than_chance_gives_are_named(self, store: Filled):
        found = sheet(BOARDS["latency"], store, "worse")
        assert cells(found, "m")["word"] == "fails more"
        assert found.verdict.endswith("4 % of m's calls failed.")

    def test_the_course_has_p95_of_each_hour(self, store: Filled):
        found = sheet(BOARDS["latency"], store, "calls")
        course = dict(zip(found.buckets, cells(found, "slow")["p95 over time"], strict=True))
        assert course["2026-11-19 20:00:00"] == 96  # of 1 to 100
        assert course["2026-11-19 21:00:00"] == 31
        assert course["2026-11-19 22:00:00"] is None

    def test_notes_say_what_is_missing(self, store: Filled):
        found = sheet(BOARDS["latency"], store, "calls")
        # 146 answered: 102 slow, 40 quick, 2 rare, of which one has no number, and 2 without a model.
        assert found.notes == ("Under 1 % of answered calls carry no $ai_latency.", "1 % of calls name no model.")

    def test_a_client_has_figures_of_its_own(self, store: Filled):
        found = sheet(BOARDS["latency"], store, "calls", "beta")
        assert cells(found, "slow")["calls"] == 2
        assert [row.cells[0] for row in found.rows] == ["quick", "slow"]

    def test_nothing_is_claimed_from_three_calls(self, store: Filled):
        found = sheet(BOARDS["latency"], store, "three")
        assert found.verdict == "3 calls, at most 3 timed of one model: too few to tell how slow one is."
        assert [row.word for row in found.rows] == ["few calls"]

    def test_calls_without_a_latency_still_have_their_failures(self, store: Filled):
        found = sheet(BOARDS["latency"], store, "silent")
        assert found.verdict == "Nobody sends $ai_latency; 1 of 30 calls failed."
        assert cells(found, "m")["p95"] is None
        assert found.notes == ("100 % of answered calls carry no $ai_latency.",)

    def test_a_model_leads_to_the_rounds_that_called_it(self, store: Filled):
        found = sheet(BOARDS["latency"], store, "calls")
        assert rounds_behind(row_of(found, "slow"), store, "calls") == [("R0", 100), ("R1", 99)]

    def test_what_the_router_says_is_a_board_of_its_own(self, store: Filled):
        found = sheet(BOARDS["latency_router"], store, "calls")
        told = cells(found, "m")
        assert (told["requests"], told["median"], told["p95"]) == (21, 1.1, 2.0)
        assert "failed" not in told
        assert found.verdict == "m: p95 2.0s, median 1.1s."
        assert found.notes == (
            "5 % of requests carry no latency_ms.",
            "5 % of requests name no model.",
            "token_machine.request does not say which requests failed.",
        )
        assert rounds_behind(row_of(found, "m"), store, "calls") == [("R7", 2)]


class TestTokens:
    def test_tokens_of_a_round_are_those_of_all_its_proposals(self, store: Filled):
        grows = cells(sheet(BOARDS["tokens"], store), "grows")
        assert (grows["prompt"], grows["before"]) == (3_000, 1_000)
        assert (grows["answer"], grows["answer before"]) == (100, 50)
        assert grows["rounds"] == 25

    def test_the_loop_whose_prompts_grow_most_comes_first(self, store: Filled):
        found = sheet(BOARDS["tokens"], store)
        assert [row.cells[0] for row in found.rows][:2] == ["grows", "steady"]
        assert found.verdict == "grows's prompts grew most: 3.0k tokens a round, 3.0× the night before."
        assert (found.rows[0].word, found.rows[0].tone) == ("grew 3.0×", Tone.BAD)

    def test_three_rounds_make_no_growth(self, store: Filled):
        found = sheet(BOARDS["tokens"], store, "few")
        assert found.verdict == "3 rounds with tokens in this window: too few to tell whether prompts grow."
        assert found.rows[0].word == "few rounds"

    def test_answers_that_grow_alone_are_told(self, store: Filled):
        found = sheet(BOARDS["tokens"], store, "talks")
        assert found.verdict == "No prompts grew, but talks's answers did: 3.0× the night before."
        assert found.rows[0].word == "answers grew 3.0×"

    def test_steady_prompts_are_said_to_be(self, store: Filled):
        found = sheet(BOARDS["tokens"], store, "steady")
        assert found.verdict == "No loop's prompts grew; steady's are longest, 9.0k tokens a round."

    def test_a_loop_that_sends_no_tokens_has_none(self, store: Filled):
        found = sheet(BOARDS["tokens"], store, "untold")
        assert found.verdict == "Nobody sends how many tokens a prompt had."
        assert cells(found, "untold")["prompt"] is None

    def test_notes_say_what_is_missing(self, store: Filled):
        found = sheet(BOARDS["tokens"], store, "grows")
        assert found.notes == (
            "20 % of rounds carry no prompt_tokens.",
            "20 % of rounds carry no completion_tokens.",
            "2 % of proposals name no round and are left out.",  # 1 of 46
        )

    def test_all_calls_of_a_round_are_another_board(self, store: Filled):
        found = sheet(BOARDS["tokens_generations"], store, "grows")
        told = cells(found, "grows")
        assert (told["prompt"], told["answer"], told["calls each"]) == (1_400, 60, 2)
        # A round is counted in the hour in which it began, though its calls are in several.
        course = dict(zip(found.buckets, told["prompt over time"], strict=True))
        assert (course["2026-11-19 20:00:00"], course["2026-11-19 21:00:00"]) == (1_400, None)

    def test_a_loop_leads_to_its_rounds_the_longest_prompt_first(self, store: Filled):
        found = rounds_behind(row_of(sheet(BOARDS["tokens"], store), "grows"), store)
        assert [value for _, value in found] == [3_000] * 20 + [None] * 5
        assert ("grows190", 3_000) in found


@pytest.mark.parametrize("name", BOARDS)
def test_an_empty_store_is_a_sentence(name: str, store: Filled):
    found = sheet(BOARDS[name], store, "nobody")
    assert found.rows == ()
    assert found.verdict.endswith("in this window.")


@pytest.mark.parametrize("name", BOARDS)
def test_a_verdict_fits_a_line(name: str, store: Filled):
    for project in ("calls", "grows", "three", "worse", "nobody"):
        assert len(sheet(BOARDS[name], store, project).verdict) <= 90


@settings(max_examples=40)
@given(st.data())
@pytest.mark.parametrize("name", BOARDS)
def test_any_rows_make_a_whole_sheet(name: str, data: st.DataObject):
    assert_whole(cast(Sheet, BOARDS[name].view(NIGHT, data.draw(any_results(BOARDS[name])))))


def test_siblings_are_named_both_ways():
    assert all(SIBLINGS[other] == name and name in BOARDS for name, other in SIBLINGS.items())
