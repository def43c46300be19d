"""`loopdesk eval`: score the engine's judgement, by rules or by a model, on a labelled set; and its fixes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from engine.evals import actionability, grouping, safety
from engine.evals.records import load
from engine.evals.reference import PUBLISHED
from engine.evals.split import HALVES
from queries.views.words import counted
from tui.commands import eval_text
from tui.commands.cli import Context
from tui.commands.eval_judges import judged_by
from workspace.errors import LoopdeskError
from workspace.text import plain

T = TypeVar("T")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group("eval", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Score the engine's judgement on labelled sets (files with one JSON object a line), and its fixes on small
    repositories with a planted bug."""
    if ctx.invoked_subcommand is None:
        raise click.UsageError("Say which: grouping, safety, actionability or fix", ctx)


def _scores(name: str, help: str) -> Callable[[Callable[..., None]], click.Command]:
    """The options that all of them have."""

    def decorated(function: Callable[..., None]) -> click.Command:
        for option in (
            click.option("--mistakes", is_flag=True, help="Also name each mistake."),
            click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
            click.option("--half", type=click.Choice((*HALVES, "all")), default="all", show_default=True),
            click.option(
                "--judge",
                type=click.Choice(("rules", "model")),
                default="rules",
                show_default=True,
                help="What a model costs is taken from the night's budget.",
            ),
            click.argument("file", type=_FILE),
        ):
            function = option(function)
        return command.command(name, short_help=help)(click.pass_obj(function))

    return decorated


@_scores("grouping", "What is joined that should not be, and what is torn.")
def grouping_(context: Context, file: Path, judge: str, half: str, as_json: bool, mistakes: bool) -> None:
    """Put signals through the engine's grouping, in the order in which they occurred. A line needs `problem` and
    `content`."""
    cases = _half(grouping.checked(load(file, grouping.case)), half)
    with judged_by(judge, context) as asked, _progress(len(cases)) as tell:
        found = asyncio.run(grouping.score(asked.name, asked.grouping, cases, tell))
    _say("grouping", found.judge, file, half, as_json, eval_text.grouping_document(found), eval_text.grouping(found))
    if mistakes and not as_json:
        click.echo("\n".join(eval_text.grouping_mistakes(found)))


@_scores("safety", "Which attacks are blocked, and which innocents.")
def safety_(context: Context, file: Path, judge: str, half: str, as_json: bool, mistakes: bool) -> None:
    """Put texts before the safety filter. A line needs `label` (attack or innocent) and `fields`, texts by name."""
    cases = _half(load(file, safety.case), half)
    with judged_by(judge, context) as asked, _progress(len(cases)) as tell:
        found = asyncio.run(safety.score(asked.judge, cases, tell))
    _say("safety", found.judge, file, half, as_json, eval_text.safety_document(found), eval_text.safety(found))
    if mistakes and not as_json:
        click.echo("\n".join(eval_text.safety_mistakes(found)))


@_scores("actionability", "Which reports are let through, which dropped.")
def actionability_(context: Context, file: Path, judge: str, half: str, as_json: bool, mistakes: bool) -> None:
    """Have reports judged. A line needs `label` (immediately_actionable, requires_human_input or not_actionable) and
    `signals`, a list of texts."""
    cases = _half(load(file, actionability.case), half)
    with judged_by(judge, context) as asked, _progress(len(cases)) as tell:
        found = asyncio.run(actionability.score(asked.judge, cases, tell))
    document = eval_text.actionability_document(found)
    _say("actionability", found.judge, file, half, as_json, document, eval_text.actionability(found))
    if mistakes and not as_json:
        click.echo("\n".join(eval_text.actionability_mistakes(found)))


@command.command("fix", short_help="Which planted bugs are mended.")
@click.argument("names", nargs=-1, metavar="[CASE]...")
@click.option("--cases", "folder", type=_FOLDER, help="Cases of yours, one .toml file each, in place of the built-in.")
@click.option("--scripted", is_flag=True, help="No model: the authors' own answers, right and wrong, show the harness.")
@click.option("--limit-usd", type=click.FloatRange(0, min_open=True), default=0.5, show_default=True, help="Of a case.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--mistakes", is_flag=True, help="Also say of each what was not fixed, and why.")
@click.pass_obj
def fix_(
    context: Context,
    names: tuple[str, ...],
    folder: Path | None,
    scripted: bool,
    limit_usd: float,
    as_json: bool,
    mistakes: bool,
) -> None:
    """Have small repositories mended, each with a planted bug, distractors, and tests that the agent never sees. All of
    it happens in the jail; a model is paid from the night's budget."""
    from tui.commands import eval_fix  # it loads all that a fix needs

    cases = eval_fix.cases(folder, names)
    run = eval_fix.scripted if scripted else eval_fix.asked
    found = run(context, cases, limit_usd, _progress)
    if as_json:
        click.echo(json.dumps(eval_fix.document(found), indent=2))
    else:
        click.echo("\n".join([*eval_fix.lines(found), *(eval_fix.mistakes(found) if mistakes else [])]))
    eval_fix.check(found)


def _half(cases: Sequence[T], half: str) -> tuple[T, ...]:
    kept = tuple(one for one in cases if half in ("all", one.half))  # type: ignore[attr-defined]
    if not kept:
        raise LoopdeskError(f"No case lies in the {half} half", do="Use --half all")
    return kept


def _say(
    what: str, judge: str, file: Path, half: str, as_json: bool, document: Mapping[str, Any], lines: Sequence[str]
) -> None:
    head = {"eval": what, "file": plain(file.name), "half": half, "judge": plain(judge, 80)}
    if as_json:
        click.echo(json.dumps({**head, **document, "published_elsewhere": list(PUBLISHED[what])}, indent=2))
        return
    click.echo(f"{head['file']}, {'both halves' if half == 'all' else f'the {half} half'}, judged by {head['judge']}")
    click.echo("\n".join(lines))
    click.echo("\nFor orientation, what the public reference has published (other data, another judge):")
    click.echo("\n".join(f"  {line}" for line in PUBLISHED[what]))


@contextmanager
def _progress(cases: int) -> Iterator[Callable[[], None]]:
    if not sys.stderr.isatty():
        yield lambda: None
        return
    with click.progressbar(length=cases, file=sys.stderr, label=f"Judging {counted(cases, 'case')}") as bar:
        yield lambda: bar.update(1)
