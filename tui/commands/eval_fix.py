"""`loopdesk eval fix`: who mends the cases, a model or a script, and what is said of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from engine import budget, process, roles
from engine.agents.lazy import LazyAgent
from engine.agents.protocol import Task
from engine.blobs import FolderBlobs
from engine.budget import Books
from engine.evals import fix_cases, fix_script
from engine.evals.fix import ENDED, FixAnswer, FixScore, Try, score, told
from engine.evals.fix_cases import FixCase
from engine.evals.fix_script import Play
from engine.judges import mode
from engine.main import utc_now, warn
from engine.sandbox.bubblewrap import find
from engine.sandbox.meter import Purse, ReportPurse
from engine.sandbox.protocol import Sandbox
from engine.store import Store
from queries.views.words import counted, money
from tui.commands import eval_text
from tui.commands.cli import Context
from workspace.errors import LoopdeskError
from workspace.text import plain

Progress = Callable[[int], AbstractContextManager[Callable[[], None]]]
_INSTEAD = "see the harness at work with --scripted"


@dataclass(frozen=True, slots=True)
class Found:
    """`plays` are what a script played, in the order of the answers; empty where a model was asked."""

    score: FixScore
    plays: tuple[Play, ...] = ()

    @property
    def told_wrong(self) -> tuple[str, ...]:
        pairs = zip(self.plays, self.score.answers, strict=False)
        return tuple(
            f"{play.case.name} with {play.name}" for play, answer in pairs if answer.ended not in play.expected
        )


def cases(folder: Path | None, names: Sequence[str]) -> tuple[FixCase, ...]:
    return fix_cases.named(fix_cases.load(folder) if folder else fix_cases.built_in(), names)


def scripted(context: Context, cases: Sequence[FixCase], limit_usd: float, progress: Progress) -> Found:
    sandbox, plays = find(), fix_script.plays(cases)
    tries = [play.tried(sandbox) for play in plays]
    with progress(len(tries)) as tell:
        found = asyncio.run(score(fix_script.NAME, tries, sandbox, utc_now, limit_usd, tell))
    return Found(found, plays)


def asked(context: Context, cases: Sequence[FixCase], limit_usd: float, progress: Progress) -> Found:
    """Raises `LoopdeskError` where no model may be asked, and beside a running engine: what a model costs is booked in
    the workspace, by one process at a time."""
    if not context.config.anthropic_key:
        raise LoopdeskError(
            "No model can be asked here: there is no ANTHROPIC_API_KEY",
            "A fix is written by a model",
            f"Set it, or {_INSTEAD}",
        )
    sandbox = find()
    with _books(context) as (books, left_usd):
        most = f"at most {money(limit_usd)} each: at most {money(len(cases) * limit_usd)}"
        night = f"the night's budget of {money(books.limits.night_usd)}, of which {money(left_usd)} is left"
        click.echo(f"{counted(len(cases), 'case')}, {most}, from {night}. ctrl+c stops it.", err=True)
        with progress(len(cases)) as tell:
            return Found(asyncio.run(_asked(context, books, cases, sandbox, limit_usd, tell)))


async def _asked(
    context: Context,
    books: Books,
    cases: Sequence[FixCase],
    sandbox: Sandbox,
    limit_usd: float,
    tell: Callable[[], None],
) -> FixScore:
    config, made = context.config, list[LazyAgent]()

    def purse(task: Task, model: str) -> Purse:
        return ReportPurse(books, task.role, model, "")  # of no report of the workspace

    def agent(blobs: FolderBlobs) -> LazyAgent:
        made.append(LazyAgent(config, lambda: sandbox, blobs, purse, utc_now, lambda: None, warn))
        return made[-1]

    models = roles.models(config)
    name = ", reviewed by ".join(dict.fromkeys((models["fix"], models["review"])))
    try:
        return await score(name, [Try(case, agent) for case in cases], sandbox, utc_now, limit_usd, tell)
    finally:
        for one in made:
            await one.close()


@contextmanager
def _books(context: Context) -> Iterator[tuple[Books, float]]:
    """The workspace's, and what is left of the night."""
    with process.only_engine(context.workspace.create()):
        store = Store.open(context.workspace.inbox_db)
        try:
            now = utc_now()
            found = mode(context.config, store.connection, now)
            if not found.has_consent:
                raise LoopdeskError(
                    "No model may be asked yet", found.why, f"Answer on the engine screen of `loopdesk`, or {_INSTEAD}"
                )
            roles.check(context.config)
            spending = budget.spending(store.connection, context.config, now)
            left_usd = max(spending.limits.night_usd - spending.tonight.usd, 0.0)
            yield Books(context.config, store, utc_now), left_usd
        finally:
            store.close()


def check(found: Found) -> None:
    """Raises `LoopdeskError` where the harness took a script's answer for what it is not."""
    if found.told_wrong:
        raise LoopdeskError(
            f"The harness told {counted(len(found.told_wrong), 'answer')} wrong: {', '.join(found.told_wrong[:4])}",
            "What it says of a model is not to be trusted on this machine",
        )


def lines(found: Found) -> list[str]:
    score = found.score
    by = fix_script.SAYS if found.plays else f"Mended by {plain(score.agent, 120)}."
    facts = [*_told(found), *((_ENDED[name], str(score.ended[name])) for name in ENDED[1:])]
    facts.append(("cost", f"{money(score.cost_usd)}, {counted(score.turns, 'turn')}, {score.seconds:,.0f} s"))
    names = ["case", *(["played"] if found.plays else []), "ended", "own tests", "guard"]
    names += ["files", "beyond", "lines", "beyond", "turns", "cost", "s"]
    rows = [_row(found, place) for place in range(len(score.answers))]
    stopped = [f"Stopped after {counted(len(score.answers), 'case')}: {score.stopped}"] if score.stopped else []
    return [by, *stopped, "", *eval_text.table(names, rows, numbers=7), "", *eval_text.listed(facts)]


def _told(found: Found) -> list[tuple[str, str]]:
    """A script's answers have no share that would mean anything."""
    score = found.score
    if found.plays:
        right = len(score.answers) - len(found.told_wrong)
        told_right = f"{right} of {len(score.answers)} answers of the script"
        return [("told for what it is", told_right), ("fixed", str(score.ended["fixed"]))]
    return [
        ("fixed", f"{eval_text.share(score.fixed)}: the hidden tests pass"),
        ("  and the guard lets it through", eval_text.share(score.clean)),
        ("own tests pass after a change", eval_text.share(score.visible)),
    ]


_ENDED = {
    "wrong": "changed, and not fixed",
    "question": "asked in place of a change",
    "nothing": "no change came of it",
    "failed": "broke off",
}


def _row(found: Found, place: int) -> list[object]:
    answer = found.score.answers[place]
    played = [found.plays[place].name] if found.plays else []
    counts = (answer.files, answer.more_files, answer.lines, answer.more_lines) if answer.guard else ("–",) * 4
    tests = answer.tests.replace("_", " ") if answer.guard else "–"
    money_ = money(answer.cost_usd)
    head = [answer.case.name, *played, answer.ended, tests, _guard(answer)]
    return [*head, *counts, answer.turns, money_, f"{answer.seconds:.1f}"]


def _guard(answer: FixAnswer) -> str:
    if answer.guard is None:
        return "–"
    return "waits" if answer.guard.passed and answer.guard.waits else "passed" if answer.guard.passed else "stopped"


def mistakes(found: Found) -> list[str]:
    missed = [one for one in found.score.answers if one.ended != "fixed"]
    lines = ["", "Not fixed:" if missed else "All are fixed."]
    for one in missed:
        lines.append(f"  {one.case.name} ({one.ended}): {told(one)}")
        lines.append(f"    planted: {plain(one.case.bug, 300)}")
    return lines


def document(found: Found) -> dict[str, Any]:
    score = found.score
    return {
        "eval": "fix",
        "agent": plain(score.agent, 120),
        "is_scripted": bool(found.plays),
        "fixed": eval_text.part_of(score.fixed),
        "fixed_and_passed_by_the_guard": eval_text.part_of(score.clean),
        "own_tests_pass": eval_text.part_of(score.visible),
        "ended": dict(score.ended),
        "cost_usd": round(score.cost_usd, 6),
        "turns": score.turns,
        "seconds": round(score.seconds, 1),
        "stopped": plain(score.stopped, 400),
        "answers": [_answer(found, place) for place in range(len(score.answers))],
    }


def _answer(found: Found, place: int) -> dict[str, Any]:
    answer = found.score.answers[place]
    script = {}
    if found.plays:
        play = found.plays[place]
        script = {"played": play.name, "is_told_right": answer.ended in play.expected}
    return {
        "case": answer.case.name,
        "language": plain(answer.case.language, 40),
        **script,
        "ended": answer.ended,
        "why": told(answer),
        "own_tests": answer.tests,
        "guard": _guard(answer).replace("–", ""),
        "guard_says": answer.guard.sentence if answer.guard else "",
        "files": answer.files,
        "files_beyond_reference": answer.more_files,
        "lines": answer.lines,
        "lines_beyond_reference": answer.more_lines,
        "cost_usd": round(answer.cost_usd, 6),
        "turns": answer.turns,
        "seconds": round(answer.seconds, 1),
    }
