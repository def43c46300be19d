"""A report judged by rules: can something be done, how urgent is it, and how it is put to its owner. Pure.

Each signal of our own sources is judged by what it measured; all that people wrote is judged together by its words. The
most urgent problem leads and gives the report its title; the others are told beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.judge import Assessment, Case
from engine.model import Signal
from engine.rules import measured, told
from engine.rules.verdict import ASK, DROP, Verdict
from workspace.text import plain, plain_lines

MOST_TITLE = 70
MOST_WORDS = 200
_MOST_SENTENCES = 6
_MOST_LINE = 300


@dataclass(frozen=True, slots=True)
class _Problem:
    """A verdict and the signals it was made of; `rank` orders those that are as urgent."""

    verdict: Verdict
    signals: tuple[Signal, ...]
    rank: int


def assess(case: Case) -> Assessment:
    problems = sorted(
        _problems(case), key=lambda one: (one.verdict.priority, one.verdict.actionability == DROP, one.rank)
    )
    if not problems:
        return Assessment(DROP, "None of its signals may be read.", "P4", "Nothing is known.", case.title, "")
    lead, *others = problems
    found = lead.verdict
    # What the owner has said is the answer that was asked for: now it can be done.
    is_answered = bool(case.context) and found.actionability == ASK
    return Assessment(
        actionability="immediately_actionable" if is_answered else found.actionability,
        reason="You have answered what was asked." if is_answered else found.reason,
        priority=f"P{found.priority}",
        priority_reason=found.priority_reason,
        title=plain(found.title, MOST_TITLE),
        summary=_summary(case, lead, others),
        question="" if is_answered else found.question,
        already_addressed=found.is_addressed,
    )


def _problems(case: Case) -> Iterable[_Problem]:
    words: list[Signal] = []
    for signal in case.signals.values():
        found = measured.verdict(signal, case)
        if found is None:
            words.append(signal)
        else:
            yield _Problem(found, (signal,), measured.ORDER.index((signal.source_product, signal.source_type)))
    if words:
        # What our own questions have measured is no argument in words.
        evidence = [one.said for one in case.evidence if not one.values]
        title = case.title if len(words) == len(case.signals) else words[0].title
        found = told.verdict(title, [signal.content for signal in words], evidence)
        yield _Problem(found, tuple(words), len(measured.ORDER))


def _summary(case: Case, lead: _Problem, others: Sequence[_Problem]) -> str:
    """Why it matters, what is happening, what is known; a paragraph each, at most 200 words together."""
    matters = [lead.verdict.matters, lead.verdict.priority_reason]
    seen = [line for signal in lead.signals for line in _lines(signal, len(lead.signals) > 1)][:_MOST_SENTENCES]
    seen += [f"Also: {plain(signal.title, 120)}." for one in others for signal in one.signals][:_MOST_SENTENCES]
    known = [plain(one.said, _MOST_LINE) for one in case.evidence][:_MOST_SENTENCES]
    known += [f"You said: “{plain(note, _MOST_LINE)}”" for note in case.context]
    parts = (("Why it matters", matters), ("What is happening", seen), ("What is known", known))
    left, paragraphs = MOST_WORDS, []
    for name, sentences in parts:
        text = f"{name}: {' '.join(_unrepeated(sentences))}" if any(sentences) else ""
        words = text.split()
        if text and left > 4:
            paragraphs.append(text if len(words) <= left else f"{' '.join(words[: left - 1])} …")
            left -= len(words)
    return "\n".join(paragraphs)


def _lines(signal: Signal, with_title: bool) -> list[str]:
    """What was measured or written; the title too where it is not the report's own, or all there is."""
    lines = [plain(line, _MOST_LINE) for line in plain_lines(signal.content)]
    lines = [line for line in lines if line]
    return lines if with_title else lines[1:] or lines


def _unrepeated(sentences: Iterable[str]) -> list[str]:
    """Each once, and none that another one ends with."""
    kept: list[str] = []
    for sentence in sentences:
        if sentence and not any(sentence.lower().rstrip(".") in one.lower() for one in kept):
            kept.append(sentence)
    return kept
