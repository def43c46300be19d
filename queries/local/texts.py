"""JSON and text as SQLite can hold them."""

from __future__ import annotations

import json

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def clean(text: str) -> str:
    """SQLite text holds neither NUL nor half a surrogate pair."""
    return storable(text.replace("\0", ""))


def storable(text: str) -> str:
    """JSON text with question marks for what is not Unicode."""
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")
