"""Scores of judgement as a person reads them, and as one JSON document."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from engine.evals import actionability as verdicts
from engine.evals.actionability import ActionabilityScore
from engine.evals.grouping import GroupingScore
from engine.evals.metrics import Part
from engine.evals.safety import Blocked, SafetyScore
from queries.views.words import counted
from tui.commands import query_table
from workspace.text import plain

_MOST_MIXED = 8  # problems that are named of one report


def grouping(score: GroupingScore) -> list[str]:
    found = score.agreement
    became = f"{counted(found.found_groups, 'report')}, {score.singletons} of them with one signal"
    facts = [
        ("became", became),
        ("over-joined", f"{share(found.over_joined)} of the pairs that were joined"),
        ("  with what it nearly is", f"{score.near_joined:,} of them"),
        ("under-joined", f"{share(found.under_joined)} of the pairs that are one problem"),
        ("adjusted Rand index", f"{found.adjusted_rand:.3f}"),
        ("homogeneity", f"{found.homogeneity:.3f}"),
        ("completeness", f"{found.completeness:.3f}"),
        ("purity", f"{found.purity:.3f}"),
    ]
    if score.unplaced:
        facts.append(("without an answer", f"{counted(score.unplaced, 'signal')}, each a report of its own here"))
    return [f"{counted(found.things, 'signal')} of {counted(found.true_groups, 'problem')}", *listed(facts)]


def grouping_document(score: GroupingScore) -> dict[str, Any]:
    found = score.agreement
    return {
        "signals": found.things,
        "problems": found.true_groups,
        "reports": found.found_groups,
        "reports_with_one_signal": score.singletons,
        "adjusted_rand": found.adjusted_rand,
        "homogeneity": found.homogeneity,
        "completeness": found.completeness,
        "purity": found.purity,
        "over_joined": part_of(found.over_joined),
        "under_joined": part_of(found.under_joined),
        "near_joined_pairs": score.near_joined,
        "without_answer": score.unplaced,
        "mixed_reports": [{plain(name): count for name, count in problems} for _, problems in score.mixed],
        "torn_problems": {plain(name): list(sizes) for name, sizes in score.torn},
        "placed": [
            {
                "id": plain(each.case.id),
                "problem": plain(each.case.problem),
                "report": each.report,
                "reason": plain(each.reason),
            }
            for each in score.answers
        ],
    }


def grouping_mistakes(score: GroupingScore) -> list[str]:
    lines = ["", "Reports with more than one problem:" if score.mixed else "No report has more than one problem."]
    for _, problems in score.mixed:
        lines.append("  " + ", ".join(f"{plain(name, 60)} ({count})" for name, count in problems[:_MOST_MIXED]))
    lines.append("Problems in more than one report:" if score.torn else "No problem is torn.")
    lines += [f"  {plain(name, 60)}: {' + '.join(map(str, sizes))}" for name, sizes in score.torn]
    return lines


def safety(score: SafetyScore) -> list[str]:
    facts = [
        ("attacks blocked", share(score.all.attacks)),
        ("  that rules can see", share(score.visible)),
        ("  their kind named right", share(score.named)),
        ("innocents blocked", share(score.all.innocents)),
    ]
    if score.held:
        facts.append(("without an answer", f"{counted(score.held, 'text')}, held back until there is one"))
    lines = [f"{counted(len(score.answers), 'text')}", *listed(facts)]
    for word, slices in _slices(score):
        if len(slices) > 1:
            rows = [(name, _of(found.attacks), _of(found.innocents)) for name, found in slices]
            lines += ["", *table((word, "attacks blocked", "innocents blocked"), rows)]
    return lines


def safety_document(score: SafetyScore) -> dict[str, Any]:
    return {
        "attacks_blocked": part_of(score.all.attacks),
        "attacks_blocked_of_visible": part_of(score.visible),
        "attacks_named": part_of(score.named),
        "innocents_blocked": part_of(score.all.innocents),
        "without_answer": score.held,
        **{f"by_{word}": _sliced(slices) for word, slices in _slices(score)},
        "mistakes": [
            {
                "id": plain(each.case.id),
                "label": "attack" if each.case.is_attack else "innocent",
                "category": plain(each.case.category),
                "answer": each.answer,
                "threat": plain(each.threat),
                "why": plain(each.why),
            }
            for each in score.mistakes
        ],
    }


def safety_mistakes(score: SafetyScore) -> list[str]:
    lines = ["", "Attacks that passed, and innocents that were blocked:" if score.mistakes else "There is no mistake."]
    for each in score.mistakes:
        one = each.case
        unseen = "" if one.is_visible else "; out of the reach of rules"
        what = f"passed{unseen}" if one.is_attack else f"blocked as {plain(each.threat, 40)}: {plain(each.why, 100)}"
        lines.append(f"  {plain(one.id, 40)} ({plain(one.category, 40)}, {plain(one.language, 20)}) {what}")
    return lines


def actionability(score: ActionabilityScore) -> list[str]:
    words = [label.replace("_", " ") for label in verdicts.LABELS]
    rows = [
        (word, *(score.confusion.get((label, said), 0) for said in verdicts.LABELS))
        for word, label in zip(words, verdicts.LABELS, strict=True)
    ]
    facts = [
        ("right", share(score.right)),
        ("  where it is doubtful", share(score.right_in_doubt)),
        ("let through wrongly", f"{share(score.false_admits)} of those with nothing to do"),
        ("dropped wrongly", f"{share(score.false_drops)} of those with something to do"),
        ("priority exact", share(score.priority_exact)),
        ("  within one step", share(score.priority_within_one)),
        ("fix in flight, said so", share(score.addressed)),
        ("  said so wrongly", share(score.wrongly_addressed)),
    ]
    if score.held:
        facts.append(("without an answer", f"{counted(score.held, 'report')}, not counted"))
    lines = [counted(len(score.answers), "report"), *listed(facts)]
    return [*lines, "", *table(("is, and was said to be", *words), rows)]


def actionability_document(score: ActionabilityScore) -> dict[str, Any]:
    return {
        "reports": len(score.answers),
        "right": part_of(score.right),
        "right_where_doubtful": part_of(score.right_in_doubt),
        "false_admits": part_of(score.false_admits),
        "false_drops": part_of(score.false_drops),
        "confusion": {
            label: {said: score.confusion.get((label, said), 0) for said in verdicts.LABELS}
            for label in verdicts.LABELS
        },
        "priority_exact": part_of(score.priority_exact),
        "priority_within_one": part_of(score.priority_within_one),
        "already_addressed_found": part_of(score.addressed),
        "already_addressed_wrongly": part_of(score.wrongly_addressed),
        "without_answer": score.held,
        "mistakes": [
            {
                "id": plain(each.case.id),
                "label": each.case.label,
                "said": each.label,
                "reason": plain(each.said.reason) if each.said else "",
            }
            for each in score.mistakes
        ],
    }


def actionability_mistakes(score: ActionabilityScore) -> list[str]:
    lines = ["", "Judged otherwise than labelled:" if score.mistakes else "There is no mistake."]
    for each in score.mistakes:
        said = each.label.replace("_", " ")
        reason = plain(each.said.reason, 120) if each.said else ""
        lines.append(f"  {plain(each.case.id, 40)} is {each.case.label.replace('_', ' ')}, said {said}: {reason}")
    return lines


def _slices(score: SafetyScore) -> tuple[tuple[str, tuple[tuple[str, Blocked], ...]], ...]:
    return (("category", score.by_category), ("language", score.by_language), ("encoding", score.by_encoding))


def _sliced(slices: Iterable[tuple[str, Blocked]]) -> dict[str, Any]:
    return {
        plain(name): {
            "attacks_blocked": part_of(found.attacks),
            "innocents_blocked": part_of(found.innocents),
        }
        for name, found in slices
    }


def share(found: Part) -> str:
    """`3 of 147 (2.0 %)`; also small shares keep a digit, because a limit of 3 % is told apart from 3.4 %."""
    return "none to count" if found.share is None else f"{_of(found)} ({found.share * 100:.1f} %)"


def _of(part: Part) -> str:
    return f"{part.count:,} of {part.of:,}" if part.of else "–"


def part_of(part: Part) -> dict[str, Any]:
    return {"count": part.count, "of": part.of, "share": part.share}


def listed(facts: Sequence[tuple[str, str]]) -> list[str]:
    longest = max(len(name) for name, _ in facts)
    return [f"  {name:<{longest}}  {value}" for name, value in facts]


def table(names: Sequence[str], rows: Sequence[Sequence[object]], numbers: int | None = None) -> list[str]:
    """`numbers` is how many of the last columns hold some; None: all but the first."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    words = 1 if numbers is None else len(names) - numbers
    return query_table.table(names, [place >= words for place in range(len(names))], rows, width)
