"""Whether prompts and answers grow: tokens per round, now and before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from queries.backend import QueryResult
from queries.gallery import missing
from queries.gallery.sheet import Column, Row, Sheet, Tone, Unit, empty
from queries.views import drill
from queries.views.answers import buckets, records
from queries.views.window import Window
from queries.views.words import counted, in_short

FEWEST = 20
"""Rounds with tokens on each side before growth is named: prompts of one loop differ by a fifth or so anyway."""
GROWN = 1.2


@dataclass(frozen=True, slots=True)
class Told:
    """Where tokens are heard of. `noun` is what one of these events is, `prompt` and `completion` its properties."""

    event: str
    noun: str
    prompt: str
    completion: str
    notes: tuple[str, ...] = ()


PROPOSALS = Told("proposal_generated", "proposal", "prompt_tokens", "completion_tokens")
GENERATIONS = Told(
    "$ai_generation",
    "call",
    "$ai_input_tokens",
    "$ai_output_tokens",
    ("Prompt tokens that Anthropic reads from its cache are counted apart and not in here.",),
)


@dataclass(frozen=True, slots=True)
class Use:
    """What the rounds of one loop used. `prompted` and `completed` are the rounds that say so; `loose` the events that
    name no round."""

    rounds: int = 0
    calls: int = 0
    prompted: int = 0
    prompt: float = 0.0
    completed: int = 0
    completion: float = 0.0
    loose: int = 0

    @property
    def prompt_each(self) -> float | None:
        """Tokens a round."""
        return self.prompt / self.prompted if self.prompted else None

    @property
    def completion_each(self) -> float | None:
        return self.completion / self.completed if self.completed else None


@dataclass(frozen=True, slots=True)
class Loop:
    """`prompts_grew` and `answers_grew` are tokens a round by those before, None where either rests on too few
    rounds."""

    project: str
    now: Use
    before: Use
    course: tuple[float | None, ...]

    @property
    def is_few(self) -> bool:
        return self.now.prompted < FEWEST

    @property
    def prompts_grew(self) -> float | None:
        if min(self.now.prompted, self.before.prompted) < FEWEST:
            return None
        return _factor(self.now.prompt_each, self.before.prompt_each)

    @property
    def answers_grew(self) -> float | None:
        if min(self.now.completed, self.before.completed) < FEWEST:
            return None
        return _factor(self.now.completion_each, self.before.completion_each)


def tokens(window: Window, told: Told, now: QueryResult, before: QueryResult) -> Sheet:
    """From `round_tokens`' or `generation_tokens`' rows of both spans. The loop whose prompts grew most comes first."""
    names = buckets(window, now.timezone)
    rows, earlier = _by_project(records(now)), _by_project(records(before))
    loops = [
        Loop(project, _use(mine), _use(earlier.get(project, [])), _course(mine, names))
        for project, mine in rows.items()
    ]
    loops.sort(key=lambda loop: (-(loop.prompts_grew or 0.0), -(loop.now.prompt_each or 0.0), loop.project))
    if not loops:
        return empty(f"No {told.noun} in this window.")
    columns = (
        Column("loop"),
        Column("prompt", Unit.TOKENS),
        Column("before", Unit.TOKENS, 2),
        Column("answer", Unit.TOKENS, 1),
        Column("answer before", Unit.TOKENS, 4),
        Column("rounds", Unit.COUNT, 3),
        Column(f"{told.noun}s each", Unit.COUNT, 5),
        Column("prompt over time", Unit.COURSE, 1),
    )
    found = tuple(_row(loop, told) for loop in loops)
    return Sheet(_verdict(loops, window.compared_with), columns, found, names, notes=tuple(_notes(loops, told)))


def _by_project(rows: Iterable[Mapping]) -> dict[str, list[Mapping]]:
    found: dict[str, list[Mapping]] = defaultdict(list)
    for row in rows:
        found[row["project"]].append(row)
    return found


def _use(rows: Sequence[Mapping]) -> Use:
    return Use(
        rounds=sum(row["rounds"] for row in rows),
        calls=sum(row["calls"] for row in rows),
        prompted=sum(row["prompted"] for row in rows),
        prompt=sum(row["prompt_tokens"] or 0.0 for row in rows),
        completed=sum(row["completed"] for row in rows),
        completion=sum(row["completion_tokens"] or 0.0 for row in rows),
        loose=sum(row["loose"] for row in rows),
    )


def _course(rows: Sequence[Mapping], names: Sequence[str]) -> tuple[float | None, ...]:
    known = {row["bucket"]: _use([row]).prompt_each for row in rows}
    return tuple(known.get(name) for name in names)


def _factor(now: float | None, before: float | None) -> float | None:
    return now / before if now and before else None


def _row(loop: Loop, told: Told) -> Row:
    word, tone = _word(loop)
    now, before = loop.now, loop.before
    each = round(now.calls / now.rounds) if now.rounds else None
    return Row(
        (
            loop.project,
            now.prompt_each,
            before.prompt_each,
            now.completion_each,
            before.completion_each,
            now.rounds,
            each,
            loop.course,
        ),
        word,
        tone,
        drill.prompted(loop.project, told.event),
    )


def _word(loop: Loop) -> tuple[str, Tone]:
    grew, answers = loop.prompts_grew, loop.answers_grew
    if loop.is_few:
        return "few rounds", Tone.PLAIN
    if grew and grew >= GROWN:
        return f"grew {grew:.1f}×", Tone.BAD
    if answers and answers >= GROWN:
        return f"answers grew {answers:.1f}×", Tone.BAD
    if grew and grew <= 1 / GROWN:
        return "shrank", Tone.GOOD
    return "", Tone.PLAIN


def _verdict(loops: Sequence[Loop], compared_with: str) -> str:
    known = [loop for loop in loops if not loop.is_few]
    if not known:
        most = sum(loop.now.prompted for loop in loops)
        if not most:
            return "Nobody sends how many tokens a prompt had."
        return f"{counted(most, 'round')} with tokens in this window: too few to tell whether prompts grow."
    first = known[0]
    if first.prompts_grew and first.prompts_grew >= GROWN:
        grew = "grew most" if len(known) > 1 else "grew"
        length = f"{in_short(first.now.prompt_each)} tokens a round"
        return f"{first.project}'s prompts {grew}: {length}, {first.prompts_grew:.1f}× {compared_with}."
    answers = max(known, key=lambda loop: loop.answers_grew or 0.0)
    if answers.answers_grew and answers.answers_grew >= GROWN:
        return f"No prompts grew, but {answers.project}'s answers did: {answers.answers_grew:.1f}× {compared_with}."
    longest = max(known, key=lambda loop: loop.now.prompt_each or 0.0)
    length = f"{in_short(longest.now.prompt_each)} tokens a round"
    if not any(loop.prompts_grew for loop in known):
        are = "are longest," if len(known) > 1 else "have"
        return f"{longest.project}'s prompts {are} {length}; nothing to compare with."
    return f"No loop's prompts grew; {longest.project}'s are longest, {length}."


def _notes(loops: Sequence[Loop], told: Told) -> Iterator[str]:
    rounds = sum(loop.now.rounds for loop in loops)
    prompted = sum(loop.now.prompted for loop in loops)
    completed = sum(loop.now.completed for loop in loops)
    untold = [(rounds - prompted, f"carry no {told.prompt}"), (rounds - completed, f"carry no {told.completion}")]
    yield from missing.shares(rounds, "rounds", untold)
    loose = sum(loop.now.loose for loop in loops)
    every = loose + sum(loop.now.calls for loop in loops)
    yield from missing.shares(every, f"{told.noun}s", [(loose, "name no round and are left out")])
    yield from told.notes
