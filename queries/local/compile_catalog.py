"""Writes `compiled.json`, the catalog's SQLite texts: `python -m queries.local.compile_catalog`.

It is part of the package so that the parser is not needed to show the boards; a test compares it with the catalog.
"""

from __future__ import annotations

import json

from queries.catalog import catalog
from queries.local.compiled import PACKAGED
from queries.local.hogql.compiler import compile_query, fingerprint


def documents() -> dict[str, dict]:
    """Every question's compiled text by its fingerprint."""
    questions = [catalog.load(name) for name in catalog.names()]
    return {fingerprint(q.text, q.types): compile_query(q.text, q.types).to_json() for q in questions}


if __name__ == "__main__":
    PACKAGED.write_text(json.dumps(documents(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
