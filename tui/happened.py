"""What happened while the loops ran, as the desk knows it: annotations, and the marks they make on a chart."""

from __future__ import annotations

from collections.abc import Callable

from queries.boards import Answer
from queries.cache import AnswerCache
from queries.views.timeline import Annotation, Mark, marks_on
from queries.views.trend import Trend
from workspace.errors import LoopdeskError

_UNMARKED = "unmarked"


class Happened:
    """Begins with what was kept; `write` runs what it is given aside, and is None where nothing may be kept."""

    def __init__(self, cache: AnswerCache, write: Callable[[Callable[[], object]], None] | None) -> None:
        self._cache, self._write = cache, write
        self._known: tuple[Annotation, ...] | None = None
        self._problem = ""

    @property
    def annotations(self) -> tuple[Annotation, ...]:
        """The newest first."""
        if self._known is None:
            self._known = self._cache.annotations()
        return self._known

    def take(self, found: tuple[Annotation, ...]) -> bool:
        """What is annotated now; False where that is no news."""
        self._problem = ""
        if found == self.annotations:
            return False
        self._known = found
        if self._write is not None:
            self._write(lambda: self._cache.save_annotations(found))
        return True

    def fail(self, problem: LoopdeskError) -> bool:
        """Charts live without marks; False where this desk knew that."""
        is_news, self._problem = str(problem) != self._problem, str(problem)
        return is_news

    def was_told(self) -> bool:
        """Whether a person was told of the problem by this desk or one before it; from now on they were. Who does not
        want to give their key one more scope is not reminded each morning."""
        before = self._cache.state(_UNMARKED, "")
        if self._write is not None:
            problem = self._problem
            self._write(lambda: self._cache.set_state(_UNMARKED, problem))
        return before == self._problem

    def marks(self, answer: Answer) -> tuple[Mark, ...]:
        """For a chart of this answer, whichever board it is; none where its view has no time line."""
        if not getattr(answer.view, "buckets", ()):
            return ()
        shas = [mark.git_sha for mark in answer.view.marks] if isinstance(answer.view, Trend) else ()
        return marks_on(self.annotations, answer.window, answer.results[0].timezone, shas)
