"""Bringing the boards into PostHog: look, say what would be done, do it. What loopdesk did not make is never touched.

What it made carries a tag and, because plans without tags drop them, a mark at the end of its description. A push that
was broken off leaves a dashboard with some of its boards; the next one makes the rest. Names, colours and places that
somebody changed in PostHog stay as they are: a tile is given a place where it has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from queries.posthog_boards.boards import Board
from queries.posthog_boards.tiles import Tile, documents, tiles, unplaced
from queries.remote_errors import PostHogFailed
from queries.rest import NotThere, Rest, listed
from queries.views.words import counted
from workspace.errors import LoopdeskError
from workspace.text import plain

DASHBOARD, LAYOUT = "dashboard", "layout"
NAME = "Overnight loops"
TAG = "loopdesk"
_MOST = 5_000
_NOT_ON_IT = "it is not on the dashboard"
NEEDED = ("dashboard:write", "insight:write")
MAKE, CHANGE, KEEP, PLACE = "make", "change", "keep", "place"


@dataclass(frozen=True, slots=True)
class Existing:
    """An object of ours in PostHog. `dashboards` are those that an insight is on, `tiles` what is on a dashboard."""

    key: str
    id: int
    name: str
    query: Mapping[str, object]
    dashboards: tuple[int, ...] = ()
    tiles: tuple[Tile, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """`id` is the object's, None for one to be made. `why` is a clause for a person."""

    action: str
    key: str
    name: str
    id: int | None = None
    why: str = ""


def existing(rest: Rest) -> tuple[Existing, ...]:
    """What loopdesk made there: the dashboard, and insights. Raises `LoopdeskError`."""
    try:
        dashboards = [one for one in _ours(_all(rest, "dashboards/")) if one.key == DASHBOARD]
        # The list of a busy project is long; every mark holds the word.
        insights = _ours(_all(rest, "insights/", search=TAG))
        if dashboards:
            home = min(dashboards, key=lambda one: one.id)
            dashboards.remove(home)
            dashboards.append(replace(home, tiles=tiles(rest, home.id)))
    except NotThere as error:
        raise LoopdeskError(
            "There are no dashboards here", "The desk itself shows the six boards", "For PostHog's: loopdesk connect"
        ) from error
    return (*dashboards, *(one for one in insights if one.key != DASHBOARD))


def plan(wanted: Sequence[Board], found: Sequence[Existing]) -> tuple[Step, ...]:
    """What a push would do, the dashboard first. Of several with one key the oldest is meant: people copy boards."""
    oldest: dict[str, Existing] = {}
    for one in sorted(found, key=lambda one: one.id):
        oldest.setdefault(one.key, one)
    home = oldest.get(DASHBOARD)
    steps = [Step(KEEP, DASHBOARD, home.name, home.id) if home else Step(MAKE, DASHBOARD, NAME)]
    added, known = 0, list[int]()
    for board in wanted:
        there = oldest.get(board.key)
        is_on_it = there is not None and home is not None and home.id in there.dashboards
        added += not is_on_it
        known += [there.id] if there else []
        if there is None:
            steps.append(Step(MAKE, board.key, board.name))
        elif not _holds(there.query, board.query):
            steps.append(Step(CHANGE, board.key, there.name, there.id, "it asks something else"))
        elif not is_on_it:
            steps.append(Step(CHANGE, board.key, there.name, there.id, _NOT_ON_IT))
        else:
            steps.append(Step(KEEP, board.key, there.name, there.id))
    count = added + (len(unplaced(home.tiles, known)) if home else 0)
    if count:
        steps.append(Step(PLACE, LAYOUT, counted(count, "tile"), home.id if home else None))
    return tuple(steps)


def push(rest: Rest, wanted: Sequence[Board], found: Sequence[Existing]) -> Iterator[Step]:
    """Does the plan, and gives each step when it is done. Raises `LoopdeskError`; what was done until then is there,
    and another push goes on from it."""
    by_key, by_id = {board.key: board for board in wanted}, {one.id: one for one in found if one.key != DASHBOARD}
    home, ids = 0, dict[str, int]()
    for step in plan(wanted, found):
        if step.key == DASHBOARD:
            home = step.id or _made(rest, "dashboards/", _document(DASHBOARD, NAME, "Rounds, scores and costs."))
        elif step.action == MAKE:
            board = by_key[step.key]
            ids[step.key] = _made(rest, "insights/", {
                **_document(board.key, board.name, board.asks), "query": board.query, "dashboards": [home]
            })  # fmt: skip
        elif step.action == PLACE:
            _lay_out(rest, home, [ids[board.key] for board in wanted])
        elif step.id is not None:
            ids[step.key] = step.id
            if step.action == CHANGE:
                # PostHog takes the list of dashboards whole: those that somebody added stay in it.
                on = sorted({*by_id[step.id].dashboards, home})
                rest.ask("PATCH", f"insights/{step.id}/", {"query": by_key[step.key].query, "dashboards": on})
        yield step


def _lay_out(rest: Rest, home: int, insights: Sequence[int]) -> None:
    there = tiles(rest, home)
    if unplaced(there, insights):
        rest.ask("PATCH", f"dashboards/{home}/", {"tiles": documents(there, insights)})


def _document(key: str, name: str, asks: str) -> dict[str, object]:
    return {"name": name, "description": f"{asks} {_mark(key)}", "tags": [TAG, f"{TAG}:{key}"]}


def _mark(key: str) -> str:
    return f"[{TAG}:{key}]"


def _made(rest: Rest, path: str, document: Mapping[str, object]) -> int:
    made = rest.ask("POST", path, document)
    id = made.get("id") if isinstance(made, dict) else None
    if type(id) is not int:
        raise PostHogFailed("PostHog did not say what it made", do="Push again: what is there is not made twice")
    return id


def _all(rest: Rest, path: str, **asked: str) -> Sequence[dict]:
    """Of what is not all, something of ours may be missing, and would be made twice."""
    found = listed(rest, path, _MOST, **asked)
    if not found.is_all:
        kind = path.strip("/")
        raise LoopdeskError(f"The project has more than {_MOST:,} {kind}", "What is ours cannot be found among them")
    return found.rows


def _ours(rows: Sequence[dict]) -> tuple[Existing, ...]:
    return tuple(one for row in rows if (one := _existing(row)))


def _existing(row: Mapping) -> Existing | None:
    key, id = _key(row), row.get("id")
    if not key or type(id) is not int or row.get("deleted"):
        return None
    query = row.get("query")
    return Existing(
        key,
        id,
        plain(row.get("name") or "", 100) or key,
        query if isinstance(query, dict) else {},
        _dashboards(row),
    )


def _dashboards(row: Mapping) -> tuple[int, ...]:
    """An insight names them in `dashboards`, which PostHog wants to drop, and in `dashboard_tiles`."""
    on, tiles = row.get("dashboards"), row.get("dashboard_tiles")
    found = list(on) if isinstance(on, list) else []
    found += [one.get("dashboard_id") for one in tiles if isinstance(one, dict)] if isinstance(tiles, list) else []
    return tuple(sorted({one for one in found if type(one) is int}))


def _key(row: Mapping) -> str:
    """The board's key from the tag or the mark; empty for what is not ours."""
    tags = row.get("tags")
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, str) and tag.startswith(f"{TAG}:"):
            return tag.removeprefix(f"{TAG}:")
    description = str(row.get("description") or "").rstrip()
    _, found, key = description.rpartition(f"[{TAG}:")
    return key.removesuffix("]") if found and key.endswith("]") else ""


def _holds(found: object, wanted: object) -> bool:
    """Whether `found` is `wanted` with at most more in it: PostHog adds defaults to what it keeps."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            name in found and _holds(found[name], wanted[name]) for name in wanted
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(_holds(one, other) for one, other in zip(found, wanted, strict=True))
        )
    return found == wanted
