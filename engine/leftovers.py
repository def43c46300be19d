"""What a killed engine or worker left in its folder: jails' folders, half-made exports and bundles, and jails that were
just being made. Removed at the start of the next one, which is alone there."""

from __future__ import annotations

from engine.sandbox.folders import remove, remove_leftovers
from engine.sandbox.orphans import remove_orphans
from workspace.paths import Workspace

_SCRATCH = ("ci-*", "taken-*", "bundled-*", "part-*")


def remove_all(workspace: Workspace) -> int:
    """How many there were."""
    removed = remove_orphans((workspace.runs, workspace.mirrors, workspace.dependencies))
    removed += remove_leftovers(workspace.runs)
    for folder in (workspace.mirrors, workspace.dependencies):
        for pattern in _SCRATCH:
            for path in folder.glob(pattern):
                remove(path)
                removed += 1
    return removed
