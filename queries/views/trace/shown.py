"""Which rows of a tree are shown: what is folded, and what is searched for or left out."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from queries.views.trace.rows import key, searchable
from queries.views.trace.tree import KINDS, Mark, Tree

ALL_OPEN = 65_536


@dataclass(frozen=True, slots=True)
class Folds:
    """Rows from `depth` on are folded, but for those in `turned`, which are the other way round. Keys rather than
    numbers, so that folds stay when events arrive."""

    depth: int = ALL_OPEN
    turned: frozenset[bytes] = frozenset()

    def is_folded(self, tree: Tree, row: int) -> bool:
        is_deep = tree.depth[row] >= self.depth
        return tree.size[row] > 1 and (is_deep != (key(tree, row) in self.turned) if self.turned else is_deep)

    def toggled(self, tree: Tree, row: int) -> Folds:
        return replace(self, turned=self.turned ^ {key(tree, row)})

    def opened(self, tree: Tree, row: int) -> Folds:
        """So that `row` can be seen: everything above it is open."""
        closed = {key(tree, above) for above in tree.ancestors(row) if self.is_folded(tree, above)}
        return replace(self, turned=self.turned ^ closed) if closed else self


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows to show; with nothing set, all. What stands above a wanted row is shown too."""

    kinds: frozenset[str] = frozenset()
    errors_only: bool = False
    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.kinds or self.errors_only or self.text)

    @property
    def said(self) -> str:
        parts = ["errors only"] if self.errors_only else []
        parts += [", ".join(kind for kind in KINDS if kind in self.kinds)] if self.kinds else []
        parts += [f"“{self.text}”"] if self.text else []
        return " and ".join(parts)


def visible(tree: Tree, folds: Folds, wanted: Wanted, texts: Callable[[], Sequence[str]] | None = None) -> array[int]:
    """Numbers of the shown rows, ascending. Folds do not hide what was asked for. `texts` are the rows' searchable
    texts without regard to case, where they were made before."""
    if wanted:
        return _wanted(tree, wanted, texts or (lambda: lowered(tree)))
    if not folds.turned:
        deepest = folds.depth
        if deepest >= ALL_OPEN:
            return array("i", range(len(tree)))
        return array("i", [row for row, depth in enumerate(tree.depth) if depth <= deepest])
    found = array("i")
    size, row, count = tree.size, 0, len(tree)
    while row < count:
        found.append(row)
        row += size[row] if size[row] > 1 and folds.is_folded(tree, row) else 1
    return found


def matches(tree: Tree, wanted: Wanted, texts: Callable[[], Sequence[str]] | None = None) -> array[int]:
    """The rows themselves, without what stands above them."""
    kinds = {number for number, kind in enumerate(KINDS) if kind in wanted.kinds} or set(range(len(KINDS)))
    kind, marks = tree.kind, tree.marks
    found = [
        row
        for row in range(len(tree))
        if kind[row] in kinds and (not wanted.errors_only or marks[row] & Mark.FAILED or kind[row] in _TROUBLE)
    ]
    if wanted.text:
        said, text = (texts or (lambda: lowered(tree)))(), wanted.text.casefold()
        found = [row for row in found if text in said[row]]
    return array("i", found)


def lowered(tree: Tree) -> list[str]:
    return [text.casefold() for text in searchable(tree, range(len(tree)))]


def _wanted(tree: Tree, wanted: Wanted, texts: Callable[[], Sequence[str]]) -> array[int]:
    keep = bytearray(len(tree))
    parent = tree.parent
    for row in matches(tree, wanted, texts):
        while row >= 0 and not keep[row]:
            keep[row] = 1
            row = parent[row]
    return array("i", (row for row, is_kept in enumerate(keep) if is_kept))


def place_of(shown: Sequence[int], tree: Tree, row: int) -> int:
    """Where a row is shown, or the nearest one above it that is; 0 where there is none."""
    while row >= 0:
        place = bisect_left(shown, row)
        if place < len(shown) and shown[place] == row:
            return place
        row = tree.parent[row]
    return 0


def following(tree: Tree, row: int, is_wanted: Callable[[int], bool]) -> int | None:
    """The next row that is wanted, going round at the end; None where there is none but this one."""
    count = len(tree)
    return next((at for at in chain(range(row + 1, count), range(row)) if is_wanted(at)), None)


_TROUBLE = frozenset(KINDS.index(kind) for kind in ("retry", "escalation", "regression", "error"))
