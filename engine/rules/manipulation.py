"""Whether a text tries to manipulate whoever reads it."""

from __future__ import annotations

from collections.abc import Sequence

from engine.judge import Safety, SignalText


def found(text: SignalText) -> Safety:
    """What manipulates in one signal's texts. Pure."""
    return found_together([text])


def found_together(texts: Sequence[SignalText]) -> Safety:
    """The same of a whole report: an attack can be split over fields, or over signals."""
    return Safety(True)
