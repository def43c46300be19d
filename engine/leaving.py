"""All that leaves with a push, judged by the guard: the change, each commit on the way to it, and every text.

What is pushed is read from our own mirror, whoever made it. A secret that one commit adds and the next one removes
leaves too; so does what stands in a commit's header.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from engine.agents import transcript
from engine.agents.transcript import HostCall, Returned
from engine.blobs import Blobs
from engine.diff import Diff
from engine.forges.mirror import Mirror
from engine.forges.trees import read_diff
from engine.guard import Finding, Verdict, guard
from engine.guard_rules import Rules
from engine.listed import ReportDetail
from engine.model import Note
from engine.rows import spelled
from engine.secrets import Canaries
from engine.shown import handed_on, marks
from workspace.errors import LoopdeskError

MOST_COMMITS = 50
_ID = re.compile(r"[0-9a-f]{10,40}")
_OURS = re.compile(rb"^(?:tree|parent) [0-9a-f]{40}\n", re.MULTILINE)


def judged(
    mirror: Mirror,
    base: str,
    sha: str,
    rules: Rules,
    canaries: Canaries,
    shown: frozenset[str],
    texts: Mapping[str, str],
) -> tuple[Diff, Verdict]:
    """`shown` are words that an agent was shown (`engine.shown`). Raises `LoopdeskError`."""
    diff = read_diff(mirror, base, sha)
    line = _line(mirror, base, sha)
    if line is None:
        odd = Finding("size", "", f"It is not a line of at most {MOST_COMMITS} commits")
        return diff, Verdict(diff.base, diff.head, stops=(odd,))
    steps = [read_diff(mirror, parent, commit) for commit, parent in line] if len(line) > 1 else []
    texts = {**texts, **{f"commit {place + 1}": _header(mirror, commit) for place, (commit, _) in enumerate(line)}}
    leaves = "\n".join([*texts.values(), *(text for one in (diff, *steps) for text in _added(one))])
    taken = Canaries(tuple(word for word in handed_on(shown, leaves) if not _is_known(mirror, base, word)))
    verdict = guard(diff, rules, canaries, texts, taken)
    # How large a step is, and what of it CI would execute, counts at the end of the line alone.
    more = [found for one in steps for found in guard(one, rules, canaries, {}, taken).stops if found.kind != "size"]
    return diff, replace(verdict, stops=tuple(dict.fromkeys((*verdict.stops, *more))))


def shown_to(detail: ReportDetail, notes: Iterable[Note], blobs: Blobs, evidence: Iterable[str]) -> frozenset[str]:
    """The words that agents of a report were shown and must keep: of signals, memory, and all that tools answered to a
    researcher. What the stored questions say goes into the pull request anyway."""
    report = detail.listed.report
    texts = [note.text for note in notes]
    for signal in detail.signals:
        texts += [signal.signal.content, spelled(dict(signal.signal.extra))]
    for one in detail.artefacts:
        if one.kind == "tool_call":
            texts.append(spelled(dict(one.content)))
        elif one.kind == "transcript" and isinstance(key := one.content.get("blob"), str):
            texts += _answers(blobs, key)
    return marks(texts) - marks([*evidence, report.id, *(job.proposal_id for job in detail.jobs)])


def _answers(blobs: Blobs, key: str) -> list[str]:
    """What tools answered; nothing where the transcript is gone."""
    try:
        return [one.text for one in transcript.read(blobs.get(key)) if isinstance(one, HostCall | Returned)]
    except (LoopdeskError, ValueError):
        return []


def _line(mirror: Mirror, base: str, sha: str) -> list[tuple[str, str]] | None:
    """Each commit with its parent, the last one first; None where it is none."""
    asked = ["--parents", f"--max-count={MOST_COMMITS + 1}", f"{mirror.commit(base)}..{mirror.commit(sha)}"]
    found = [tuple(line.split()) for line in mirror.run("rev-list", *asked, "--").lines]
    if len(found) > MOST_COMMITS or any(len(one) != 2 for one in found):
        return None
    return [(one[0], one[1]) for one in found]


def _header(mirror: Mirror, sha: str) -> str:
    """The whole commit as it leaves, without the ids that git gives."""
    return _OURS.sub(b"", mirror.run("cat-file", "commit", sha, most=1 << 20).out).decode("utf-8", "replace")


def _added(diff: Diff) -> Iterator[str]:
    for file in diff.files:
        yield file.path
        yield from (line.text for line in file.added_lines())


def _is_known(mirror: Mirror, base: str, word: str) -> bool:
    """Whether the repository has it already: in a file, or as the id of a commit."""
    if _ID.fullmatch(word) and mirror.run("cat-file", "-t", word, fine=(0, 128)).text == "commit":
        return True
    asked = ["--quiet", "--ignore-case", "--fixed-strings", "--text", "-e", word, base]
    return mirror.run("grep", *asked, fine=(0, 1)).code == 0
