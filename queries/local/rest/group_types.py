"""Which types of groups the project knows, and PostHog's number (0 to 4) for each: the order they were seen in."""

from __future__ import annotations

from collections.abc import Collection

from queries.local.flags.filters import MAX_GROUP_TYPES
from queries.local.objects import ObjectStore
from queries.local.rest.asked import Answer, Asked

_KIND = "group_type"
_SEEN = """
SELECT json_extract(bodies.properties, '$."$group_type"') AS name FROM events JOIN bodies ON bodies.id = events.id
WHERE events.event = '$groupidentify' AND json_type(bodies.properties, '$."$group_type"') = 'text'
GROUP BY name ORDER BY min(bodies.id)
"""


def group_types(store: ObjectStore, wanted: Collection[str] | None = None) -> dict[int, str]:
    """Index -> name. A type keeps its index for good, also when its events are deleted. The events are looked through
    for new types, unless all of the `wanted` are known."""
    with store.reading() as objects:
        known = [document["name"] for document in objects.all(_KIND)]
        if len(known) == MAX_GROUP_TYPES or (wanted is not None and set(wanted) <= set(known)):
            return dict(enumerate(known))
        seen = [row[0] for row in objects.connection.execute(_SEEN)]
    if set(seen) - set(known):
        with store.writing() as objects:
            known = [document["name"] for document in objects.all(_KIND)]
            for name in [name for name in seen if name not in known][: MAX_GROUP_TYPES - len(known)]:
                objects.insert(_KIND, {"name": name}, key=name)
                known.append(name)
    return dict(enumerate(known))


def listing(store: ObjectStore, _asked: Asked) -> Answer:
    return 200, [
        {"group_type": name, "group_type_index": index, "name_singular": None, "name_plural": None}
        for index, name in group_types(store).items()
    ]
