"""A signal of our own sources as rules look at it: its numbers, what was measured of its loop, and words for both."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from engine.judge import Case, Evidence
from engine.model import Signal
from workspace.text import plain

MOST_TITLE = 70


class Seen:
    """A signal beside what was measured of its loop. Whatever is missing or no number is None."""

    def __init__(self, signal: Signal, case: Case) -> None:
        self.signal, self.case = signal, case
        self._evidence = [one for one in case.evidence if _is_about(one, signal)]

    @property
    def short(self) -> str:
        """The last part of the loop's name, for titles."""
        return (
            self.loop.rpartition("/")[2]
            if self.word("client") not in ("", "internal")
            else self.word("project") or self.loop
        )

    @property
    def loop(self) -> str:
        parts = [part for part in (self.word("project"), self.word("client")) if part]
        return "/".join(parts) or "the loop"

    def word(self, name: str, most: int = 40) -> str:
        value = self.signal.extra.get(name)
        return plain(value, most) if isinstance(value, str) else ""

    def number(self, name: str, within: str = "") -> float | None:
        """Of the signal's own numbers."""
        found = self.signal.extra.get("numbers")
        if within and isinstance(found, Mapping):
            found = found.get(within)
        return _number(found.get(name)) if isinstance(found, Mapping) else None

    def measured(self, name: str) -> float | None:
        """Of the first answer that has it and is not about another signal."""
        answers = [one.values for one in self._evidence if one.values.get("signal", self.signal.id) == self.signal.id]
        return next((_number(values[name]) for values in answers if name in values), None)


def titled(*choices: str) -> str:
    """The first that is short enough for a pull request's title."""
    return next((one for one in choices if len(one) <= MOST_TITLE), choices[-1])


def in_words(number: float) -> str:
    return {1: "once", 2: "twice"}.get(int(number), f"{int(number):,} times")


def _is_about(evidence: Evidence, signal: Signal) -> bool:
    asked = evidence.parameters
    return asked.get("project") == signal.extra.get("project") and asked.get("client") in (
        "",
        signal.extra.get("client", ""),
    )


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None
