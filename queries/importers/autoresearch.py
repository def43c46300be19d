"""autoresearch's `results.tsv` and its variants: a table with a line per round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from queries.importers import goals
from queries.importers.columns import Columns, assign, looks_like_a_loop
from queries.importers.commits import instant
from queries.importers.goals import Goal
from queries.importers.log import BadRow, LogRound, ParsedLog, Problem, Scalar, refuse_if_mostly_bad
from queries.importers.numbers import is_no_value, is_not_finite, number, scalar
from queries.importers.table import Row, Table, read_header, read_table
from queries.importers.verdicts import Status, Verdict, combined, mentions_crash, status_of
from queries.importers.vocabulary import words
from queries.importers.wanted import Wanted
from workspace.errors import LoopdeskError
from workspace.text import plain

FORMAT = "autoresearch"
# A loss of exactly 0 is no loss: loops write 0.000000 when a run gave none.
_NEVER_ZERO = frozenset({"loss", "bpb", "bpc", "perplexity", "ppl", "nll", "entropy", "crossentropy", "ce"})
_SAYS_LOWER = frozenset({"lower", "min", "minimize", "minimise"})
_SAYS_HIGHER = frozenset({"higher", "max", "maximize", "maximise"})


class AutoresearchLog:
    format = FORMAT

    def recognises(self, text: str) -> bool:
        names = read_header(text)
        return names is not None and looks_like_a_loop(names)

    def parse(self, text: str, wanted: Wanted) -> ParsedLog:
        """Raises `LoopdeskError` when there are no rounds, no metric, or too many bad rows."""
        table = read_table(text)
        if table is None or not table.row_count:
            raise LoopdeskError("It has a header but no rounds", do="Import it again once the loop has written some")
        columns = assign(table.columns, [row.cells for row in table.rows], wanted.metric)
        metric = table.columns[columns.metric]
        goal = goals.choose(metric, said=wanted.goal, in_log=_goal_in(table.comments))
        reader = _RowReader(table, columns, goal.goal, wanted)
        rounds = tuple(reader.rounds())
        problems = (*table.problems, *reader.problems)
        complete = table.row_count - reader.unfinished
        if complete:
            refuse_if_mostly_bad(problems, complete)
        if not rounds:
            raise LoopdeskError(
                "None of its rounds has ended", "; ".join(f"{each.place}: {each.text}" for each in problems[:3])
            )
        return ParsedLog(
            format=FORMAT,
            metric=metric,
            metric_why=columns.metric_why,
            goal=goal.goal,
            goal_why=goal.why,
            rounds=rounds,
            row_count=table.row_count,
            problems=tuple(sorted(problems, key=lambda each: int(each.place.split()[-1]))),
            time_source=f'column "{table.columns[columns.time]}"' if columns.time is not None else "",
        )


def _goal_in(comments: Sequence[str]) -> Goal | None:
    """Some loops say it above the header: "# metric_direction: lower_is_better"."""
    for comment in comments:
        said = comment.lower()
        if "direction" in said or "better" in said or "goal" in said:
            spoken = set(words(said))
            lower, higher = bool(spoken & _SAYS_LOWER), bool(spoken & _SAYS_HIGHER)
            if lower != higher:
                return "min" if lower else "max"
    return None


class _RowReader:
    """Rows of one table -> rounds, collecting what is wrong with them."""

    def __init__(self, table: Table, columns: Columns, goal: Goal, wanted: Wanted) -> None:
        self.table, self.columns, self.goal, self.wanted = table, columns, goal, wanted
        self.problems: list[Problem] = []
        self.unfinished = 0
        """Rows that say they are still running, and a last line still being written: neither rounds nor bad rows."""

    def rounds(self) -> Iterator[LogRound]:
        for row in self.table.rows:
            try:
                round = self._round(row)
            except BadRow as bad:
                self._tell_bad(row, str(bad))
            else:
                if round:
                    yield round

    def _round(self, row: Row) -> LogRound | None:
        """None for a round that has not ended. Raises `BadRow`."""
        cells = self._whole(row)
        status = combined([self._status(cells[place]) for place in self.columns.statuses])
        if status.verdict is Verdict.PENDING:
            self.unfinished += 1
            self._note(row, "it has not ended yet and is left out")
            return None
        description = self._cell(cells, self.columns.description)
        score_cell = cells[self.columns.metric]
        score = number(score_cell)
        if status.verdict is Verdict.UNSAID:
            status = self._from_score(row, status, score_cell, description)
        if status.verdict is Verdict.CRASHED:
            score = None
        elif score is None and not is_no_value(score_cell) and not is_not_finite(score_cell):
            raise BadRow(f'"{plain(score_cell, 40)}" in column "{self._metric}" is not a number')
        elif score is None:
            self._note(row, f'"{plain(score_cell, 40)}" is not a score: a {status.verdict.value} round without one')
        extras = self._extras(cells)
        model = extras.pop("model", None)
        cost = extras.pop("cost_usd") if isinstance(extras.get("cost_usd"), int | float) else None
        return LogRound(
            row=row.number,
            place=row.place,
            status=status,
            score=score,
            commit=self._cell(cells, self.columns.commit),
            description=description,
            dims={name: value for place, name in self.columns.dims if (value := number(cells[place])) is not None},
            extras=extras,
            model=None if model is None else str(model),
            cost_usd=None if cost is None else float(cost),
            at=instant(self._cell(cells, self.columns.time), self.wanted.zone),
        )

    @property
    def _metric(self) -> str:
        return plain(self.table.columns[self.columns.metric], 40)

    def _whole(self, row: Row) -> list[str]:
        """The row's cells, one per column. Raises `BadRow`."""
        width = len(self.table.columns)
        cells, rest = row.cells[:width], row.cells[width:]
        if any(rest):
            if self.columns.description != width - 1:
                raise BadRow(f"it has {len(row.cells)} columns where the header has {width}")
            # A description with the separator in it, unquoted.
            glue = "\t" if self.table.separator == "\t" else ", "
            cells[-1] = glue.join([cells[-1], *rest])
        if len(cells) < self.columns.needed:
            raise BadRow(f"it has {len(cells)} column{'s' * (len(cells) != 1)} where the header has {width}")
        return cells + [""] * (width - len(cells))

    def _status(self, cell: str) -> Status:
        found = status_of(cell)
        if found is None:
            said = plain(cell, 40)
            raise BadRow(f'unknown status word "{said}"' if said else "it has no status")
        return found

    def _from_score(self, row: Row, status: Status, cell: str, description: str) -> Status:
        """Without a word for it, a round crashed that gave no number, or a 0 that cannot be a score."""
        if is_no_value(cell) or is_not_finite(cell):
            return Status(Verdict.CRASHED, "crash")
        never_zero = self.goal == "min" and bool(_NEVER_ZERO & set(words(self._metric)))
        if number(cell) == 0 and (never_zero or mentions_crash(description)):
            self._note(row, "0 is taken for a crash, not for a score")
            return Status(Verdict.CRASHED, "crash")
        return status

    def _extras(self, cells: Sequence[str]) -> dict[str, Scalar]:
        return {name: scalar(cells[place]) for place, name in self.columns.extras if not is_no_value(cells[place])}

    @staticmethod
    def _cell(cells: Sequence[str], place: int | None) -> str:
        return "" if place is None else cells[place]

    def _note(self, row: Row, text: str) -> None:
        self.problems.append(Problem(row.place, text))

    def _tell_bad(self, row: Row, why: str) -> None:
        if row.cut_short:
            self.unfinished += 1
            self._note(row, f"the last line is cut short ({why}); the loop may still be writing it, so it is left out")
        else:
            self.problems.append(Problem(row.place, why, lost=True))
