"""Flags that ask about other flags: in which order to evaluate them, and where they run in a circle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def in_order(depends_on: Mapping[int, Sequence[int]]) -> list[int]:
    """Every id, each after those that it depends on; circles, which have no such order, come last. Unknown ids are
    skipped."""
    waits = {id: {other for other in others if other in depends_on} for id, others in depends_on.items()}
    asked_by: dict[int, list[int]] = {}
    for id, others in waits.items():
        for other in others:
            asked_by.setdefault(other, []).append(id)
    ready = [id for id, others in waits.items() if not others]
    order: list[int] = []
    while ready:
        id = ready.pop()
        order.append(id)
        for waiting in asked_by.get(id, ()):
            waits[waiting].discard(id)
            if not waits[waiting]:
                ready.append(waiting)
    placed = set(order)
    return order + [id for id in depends_on if id not in placed]


def chain(target: int, depends_on: Mapping[int, Sequence[int]]) -> list[int]:
    """What to evaluate before a filter on `target` can be answered, `target` last. Empty where it runs in a circle:
    the SDKs read that as such."""
    if has_circle(target, depends_on):
        return []
    return in_order({id: depends_on.get(id, ()) for id in _needed(target, depends_on)})


def has_circle(target: int, depends_on: Mapping[int, Sequence[int]]) -> bool:
    """Whether evaluating `target` would come back to a flag that is being evaluated."""
    graph = {id: depends_on.get(id, ()) for id in _needed(target, depends_on)}
    seen: set[int] = set()
    for id in in_order(graph):
        if any(other not in seen for other in graph[id] if other in graph):
            return True
        seen.add(id)
    return False


def _needed(target: int, depends_on: Mapping[int, Sequence[int]]) -> dict[int, None]:
    found: dict[int, None] = {target: None}
    open_ids = [target]
    while open_ids:
        for other in depends_on.get(open_ids.pop(), ()):
            if other not in found:
                found[other] = None
                open_ids.append(other)
    return found
