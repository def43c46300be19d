"""One REST request as its handler sees it, and a page of a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from starlette.datastructures import URL

from queries.local.rest.problems import not_found

Answer = tuple[int, object]  # HTTP status and the JSON body; None is no body
PAGE = 100  # rows without `limit`, as PostHog
MAX_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Asked:
    """`params` come from the path, `query` from the URL; `now` is when it arrived."""

    url: URL
    now: datetime
    params: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] = field(default_factory=dict)

    @property
    def id(self) -> int:
        """The object's id in the path. Raises `Problem`: PostHog's 404 for what is no number."""
        text = self.params["id"]
        if not (text.isdecimal() and text.isascii() and len(text) <= 18):
            raise not_found()
        return int(text)


Handler = Callable[[Asked], Answer]


def page(asked: Asked, rows: Sequence[object]) -> Answer:
    """`{count, next, previous, results}` by `limit` and `offset`; what is no number counts as left out."""
    limit = min(_number(asked.query.get("limit"), PAGE) or PAGE, MAX_PAGE)
    offset = _number(asked.query.get("offset"), 0)
    return 200, {
        "count": len(rows),
        "next": _link(asked, limit, offset + limit) if offset + limit < len(rows) else None,
        "previous": _link(asked, limit, max(offset - limit, 0)) if offset > 0 else None,
        "results": rows[offset : offset + limit],
    }


def _link(asked: Asked, limit: int, offset: int) -> str:
    if offset == 0:
        return str(asked.url.remove_query_params("offset").include_query_params(limit=limit))
    return str(asked.url.include_query_params(limit=limit, offset=offset))


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) <= 9 else otherwise
