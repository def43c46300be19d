"""What a project's client is called where rows of several stand together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


def owners(pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """By project and client (empty where none is sent): the client alone, with its project where another project has
    one of that name; the project where there is no client."""
    known = set(pairs)
    namesakes = Counter(client for _, client in known)
    return {pair: pair[1] if pair[1] and namesakes[pair[1]] == 1 else "/".join(filter(None, pair)) for pair in known}
