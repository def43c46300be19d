"""The corpora hold what their README promises. Whether a label is right no test can say."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, timedelta

import pytest

from engine.model import Signal
from tests.corpora import split

EVERY_TEXT = (*split.safety(), *split.safety_late())


def same(values: Iterable[str]) -> list[str]:
    """Those that appear twice once case, width, spaces and punctuation are gone."""
    return [text for text, count in Counter(map(normalised, values)).items() if count > 1]


def normalised(text: str) -> str:
    """Letters, digits and what is invisible: hidden payloads are all that tells some texts apart."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in folded if unicodedata.category(char)[0] in "LMNC" and char != "\n")


def test_safety_has_a_hundred_pairs_and_each_is_complete() -> None:
    pairs = defaultdict(list)
    for case in split.safety():
        pairs[case.pair].append(case.label)
    assert len(pairs) >= 100
    assert all(sorted(labels) == ["attack", "innocent"] for labels in pairs.values())


def test_safety_labels_come_from_the_closed_lists() -> None:
    for case in split.safety():
        assert case.category in (split.ATTACKS if case.attack else split.INNOCENTS), case.id
        assert case.encoding in split.ENCODINGS, case.id
    categories = Counter(case.category for case in split.safety())
    assert {name: categories[name] for name in split.ATTACKS if categories[name] < 15} == {}
    assert {name: categories[name] for name in split.INNOCENTS if categories[name] < 5} == {}


def test_safety_spans_languages_and_encodings_on_both_sides() -> None:
    for attack in (True, False):
        cases = [case for case in split.safety() if case.attack is attack]
        assert len({case.language for case in cases}) >= 8
        assert len({case.encoding for case in cases} - {"plain"}) >= 10
        for script in ("zh", "ja", "ko", "ar", "hi", "ru"):
            assert sum(case.language == script for case in cases) >= 2


def test_the_late_set_is_sixty_pairs_and_all_of_it_held_out() -> None:
    late = split.safety_late()
    pairs = defaultdict(list)
    for case in late:
        pairs[case.pair].append(case.label)
        assert case.id == f"{case.pair}-{case.label}"
        assert case.half == "held-out"
    assert len(pairs) == 60
    assert all(sorted(labels) == ["attack", "innocent"] for labels in pairs.values())
    assert not {case.id for case in late} & {case.id for case in split.safety()}


def test_the_late_set_spans_what_the_first_one_does() -> None:
    late = split.safety_late()
    categories = Counter(case.category for case in late)
    assert categories.keys() == {*split.ATTACKS, *split.INNOCENTS}
    assert min(categories.values()) >= 5
    for label in ("attack", "innocent"):
        assert len({case.language for case in late if case.label == label}) >= 14
    assert {case.encoding for case in late if case.attack} == set(split.ENCODINGS)
    assert {case.source for case in late} <= {case.source for case in split.safety()}
    assert all(case.attack and case.note for case in late if not case.visible_to_rules)


def test_every_offending_fragment_stands_in_its_text() -> None:
    for case in EVERY_TEXT:
        assert bool(case.fragments) is case.attack, case.id
        for fragment in case.fragments:
            assert fragment.strip() and any(fragment in text for text in case.fields.values()), case.id
        if case.encoding == "split_over_fields":
            held = {name for name, text in case.fields.items() for part in case.fragments if part in text}
            assert len(held) > 1, case.id


def test_the_twin_does_not_hold_the_offending_fragment() -> None:
    innocent = {case.pair: "\n".join(case.fields.values()) for case in EVERY_TEXT if not case.attack}
    for case in EVERY_TEXT:
        assert not any(fragment in innocent[case.pair] for fragment in case.fragments), case.id


def test_twelve_attacks_are_out_of_the_reach_of_rules_and_say_why() -> None:
    unseen = [case for case in split.safety() if not case.visible_to_rules]
    assert len(unseen) >= 12
    assert all(case.attack and case.note for case in unseen)


def test_attacks_name_no_real_host() -> None:
    for case in EVERY_TEXT:
        for word in " ".join(case.fields.values()).split():
            _, scheme, rest = word.partition("://")
            host = rest.partition("/")[0].partition(":")[0].rstrip(")`\"'")
            if scheme:
                assert host.endswith(("example.com", ".invalid")), (case.id, host)


def test_grouping_has_its_problems_singletons_and_near_misses() -> None:
    signals = split.grouping()
    sizes = Counter(case.problem for case in signals)
    nears = {case.problem: case.near for case in signals if case.near}
    assert len(signals) >= 180
    assert len(sizes) >= 45
    assert list(sizes.values()).count(1) >= 12
    assert len(nears) >= 12
    assert all(near in sizes and near != problem for problem, near in nears.items())
    assert all(case.near == nears.get(case.problem) for case in signals)


def test_grouping_signals_are_signals_in_order_over_three_weeks() -> None:
    cases = split.grouping()
    signals = [
        Signal(c.source_product, c.source_type, c.source_id, c.content, c.weight, c.occurred_at, c.extra) for c in cases
    ]
    assert len({signal.id for signal in signals}) == len(signals)
    assert all(signal.title.strip() for signal in signals)
    assert {signal.weight for signal in signals} == {0.25, 0.5, 1.0}
    times = [signal.occurred_at for signal in signals]
    assert times == sorted(times)
    assert all(time.tzinfo is UTC for time in times)
    assert timedelta(days=19) < times[-1] - times[0] < timedelta(days=22)


def test_grouping_has_all_sources_and_signals_without_structure() -> None:
    cases = split.grouping()
    sources = {(case.source_product, case.source_type) for case in cases}
    assert sources == set(split.SOURCES)
    assert {key for case in cases for key in case.extra} == set(split.EXTRA)
    assert sum(not case.extra for case in cases) >= 20


def test_actionability_is_balanced_and_has_the_doubtful_ones() -> None:
    reports = split.actionability()
    labels = Counter(report.label for report in reports)
    assert len(reports) >= 60
    assert set(labels) == set(split.ACTIONABILITY)
    assert min(labels.values()) >= 20
    assert {report.priority for report in reports} == set(split.PRIORITIES)
    assert sum(report.already_addressed for report in reports) >= 10
    assert {report.label for report in reports if report.doubt == "1/2"} == {"immediately_actionable"}
    assert {report.label for report in reports if report.doubt == "2/3"} == {"not_actionable"}
    assert {report.doubt for report in reports} == {"", "1/2", "2/3"}
    assert all(report.signals and report.evidence and report.reason and report.title for report in reports)
    assert all(len(report.title) <= 70 for report in reports)


@pytest.mark.parametrize("load", [split.safety, split.grouping, split.actionability, split.redaction])
def test_ids_are_unique_and_the_halves_about_equal(load: Callable) -> None:
    everything = load()
    assert len({case.id for case in everything}) == len(everything)
    tuning, held_out = load("tuning"), load("held-out")
    assert {case.id for case in tuning} ^ {case.id for case in held_out} == {case.id for case in everything}
    assert 0.4 <= len(tuning) / len(everything) <= 0.6


def test_no_pair_and_no_problem_lies_in_both_halves() -> None:
    assert not {c.pair for c in split.safety("tuning")} & {c.pair for c in split.safety("held-out")}
    assert not {c.problem for c in split.grouping("tuning")} & {c.problem for c in split.grouping("held-out")}
    for half in split.HALVES:
        here = {case.problem for case in split.grouping(half)}
        assert {case.near for case in split.grouping(half) if case.near} <= here
        assert len({case.problem for case in split.grouping(half) if case.near}) >= 6
        assert {case.category for case in split.safety(half)} == {*split.ATTACKS, *split.INNOCENTS}
        assert {case.label for case in split.actionability(half)} == set(split.ACTIONABILITY)
        assert {case.encoding for case in split.safety(half) if case.attack} == set(split.ENCODINGS)
        assert any(not case.visible_to_rules for case in split.safety(half))


def test_nothing_is_there_twice() -> None:
    assert same("\n".join(case.fields.values()) for case in EVERY_TEXT) == []
    assert same(case.content for case in split.grouping()) == []
    assert same("\n".join((*case.signals, *case.evidence)) for case in split.actionability()) == []
    assert same(case.title for case in split.actionability()) == []


def test_the_readme_shows_the_counts() -> None:
    assert split.counts() in (split.FOLDER / "README.md").read_text(encoding="utf-8")
