"""Logs that loops left in files -> events.

A format is one file with an `Importer`; `log.py` turns any loop's rounds into events, `commits.py` finds their times,
and `ledger.py` stores what is new.
"""

from __future__ import annotations

import json
from typing import Protocol

from queries.importers.autoresearch import AutoresearchLog
from queries.importers.files import LogFile
from queries.importers.gtm import GtmResult
from queries.importers.log import ParsedLog
from queries.importers.spool import ParsedSpool, SpoolFile
from queries.importers.wanted import Wanted
from workspace.errors import LoopdeskError
from workspace.text import plain


class Importer(Protocol):
    """One format. Both methods are pure."""

    format: str

    def recognises(self, text: str) -> bool:
        """Whether a whole file's text begins like this format; it may still turn out to be damaged."""

    def parse(self, text: str, wanted: Wanted) -> ParsedLog | ParsedSpool:
        """What the file says. Raises `LoopdeskError` when nothing of it should be stored."""


IMPORTERS: tuple[Importer, ...] = (SpoolFile(), GtmResult(), AutoresearchLog())


def detect(file: LogFile) -> Importer:
    """The importer of a file's format, told by its content. Raises `LoopdeskError`."""
    for importer in IMPORTERS:
        if importer.recognises(file.text):
            return importer
    raise LoopdeskError(
        _why_unknown(file.text),
        "Nothing of it was stored",
        "loopdesk imports autoresearch results.tsv, gtm-autoresearch loop-result JSON and spooled events",
    )


def _why_unknown(text: str) -> str:
    if not text.lstrip().startswith(("{", "[")):
        return "It is in no format that loopdesk knows: it has no header line with a loop's columns"
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) - 1 or "Unterminated" in error.msg:
            return f"It is JSON that breaks off at line {error.lineno}, so it was probably cut short"
        return f"It is damaged JSON: {plain(error.msg, 80)} at line {error.lineno}"
    except (ValueError, RecursionError):
        return "It is JSON that cannot be read"
    return 'It is JSON without a loop\'s "results"'
