"""What follows from words: issues, notes, and findings that were written down rather than measured. Pure.

Words are weighed by cues, each with what it speaks for. Doubt between doing and asking is doing; doubt between asking
and dropping is dropping (the public reference's rule). Where no cue speaks at all the owner is asked: somebody took the
trouble to write.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.judge import Actionability
from engine.rules.cues import ADDRESSED, CONCLUDED, IN_EVIDENCE, IN_WORDS, LOUD, Cue
from engine.rules.verdict import ASK, DROP, START, Verdict
from workspace.text import plain

_LONG = 70
# Of each text, and of all: a judgement must not keep the engine from its other work.
MOST_READ = 2_000
MOST_TEXTS = 20
_SILENCE = "Nothing in it says what is to be done, and somebody took the trouble to write."


def verdict(title: str, contents: Sequence[str], evidence: Sequence[str]) -> Verdict:
    """From a title, what was written, and what was found out about it; of both the beginnings of the latest."""
    title, contents, evidence = title[:MOST_READ], _bounded(contents), _bounded(evidence)
    words = (title, *contents)
    is_concluded = plain(title, _LONG) not in [plain(content.partition("\n")[0], _LONG) for content in contents]
    cues = [
        *(_found(CONCLUDED, [title])[:1] if is_concluded else []),
        *_found(IN_WORDS, words),
        *_found(IN_EVIDENCE, (*evidence, *contents)),
    ]
    label, reason = _weighed(cues)
    text = "\n".join((*words, *evidence))
    priority, why = _priority(text, label)
    return Verdict(
        label,
        reason,
        priority,
        why,
        plain(title, _LONG),
        "",
        _question(title, reason) if label == ASK else "",
        is_addressed=ADDRESSED.search(text) is not None,
    )


def _bounded(texts: Sequence[str]) -> list[str]:
    return [text[:MOST_READ] for text in texts[-MOST_TEXTS:]]


def _found(cues: Iterable[Cue], texts: Sequence[str]) -> list[Cue]:
    return [cue for cue in cues if any(cue.pattern.search(text) for text in texts)]


def _weighed(cues: Sequence[Cue]) -> tuple[Actionability, str]:
    """What most points speak for, and why."""
    points = {label: sum(cue.points for cue in cues if cue.speaks_for == label) for label in (START, ASK, DROP)}
    most = max(points.values())
    if not most:
        return ASK, _SILENCE
    label = next(label for label in (START, DROP, ASK) if points[label] == most)
    said = ", ".join(dict.fromkeys(cue.says for cue in cues if cue.speaks_for == label))
    return label, f"{said[:1].upper()}{said[1:]}."


def _priority(text: str, label: Actionability) -> tuple[int, str]:
    if label == DROP:
        return 4, "Nothing has to be done."
    loud = next((one for one in LOUD if one.pattern.search(text)), None)
    return (loud.priority, loud.says) if loud else (2, "Nothing says that it is urgent.")


def _question(title: str, reason: str) -> str:
    asked = plain(title, 160)
    return f"{asked if asked.endswith('?') else f'What should be done about “{asked}”?'} {reason}"
