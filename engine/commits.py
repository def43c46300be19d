"""An agent's work as one commit of ours: what is pushed has our author, our message, and nothing of its history.

All of it happens in our own mirror, with commits that `engine.sandbox.bundles` has checked.
"""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path

from engine.forges.mirror import Mirror
from engine.forges.trees import merge_tree
from engine.sandbox import bundles
from engine.sandbox.inside.pack import REF
from workspace.errors import LoopdeskError

NAME, MAIL = "loopdesk", "loopdesk@localhost"


def taken(mirror: Mirror, bundle: bytes, base: str, name: str) -> str:
    """The commit that a bundle brings on top of `base`, checked and kept in the mirror. Raises `LoopdeskError`."""
    with tempfile.TemporaryDirectory(prefix="taken-", dir=mirror.folder.parent) as folder:
        path = Path(folder) / "work.bundle"
        path.write_bytes(bundle)
        return bundles.take(mirror.folder, path, base, name).sha


def bundled(mirror: Mirror, sha: str, base: str) -> bytes:
    """`base..sha` in the form that `taken` takes: a bundle of version 2 (gitformat-bundle)."""
    sha, base = mirror.commit(sha), mirror.commit(base)
    # Not `git bundle create`: it wants a ref, and others work in this mirror too.
    pack = mirror.run("pack-objects", "--revs", "--thin", "--stdout", "--quiet", given=f"{sha}\n^{base}\n".encode()).out
    return f"# v2 git bundle\n-{base}\n{sha} {REF}\n\n".encode() + pack


def one_commit(mirror: Mirror, work: str, parent: str, message: str, at: datetime) -> str:
    """The files of `work` as a single commit on top of `parent`."""
    tree = mirror.run("rev-parse", "--verify", f"{mirror.commit(work)}^{{tree}}").text
    return _commit(mirror, tree, mirror.commit(parent), message, at)


def is_same(mirror: Mirror, one: str, other: str) -> bool:
    """Whether two commits hold the same files."""
    trees = [mirror.run("rev-parse", "--verify", f"{mirror.commit(sha)}^{{tree}}").text for sha in (one, other)]
    return trees[0] == trees[1]


def reverted(mirror: Mirror, merged: str, base: str, message: str, at: datetime) -> str:
    """A commit on top of `base` that takes back what `merged` brought to it. Raises `LoopdeskError` for a conflict."""
    merged, base = mirror.commit(merged), mirror.commit(base)
    before = mirror.run("rev-parse", "--verify", f"{merged}^1^{{tree}}").text
    # The state before it, as a change on top of it: merged into what came since, it undoes that change and no other.
    undone = _commit(mirror, before, merged, message, at)
    merge = merge_tree(mirror, base, undone)
    if merge.conflicts:
        raise LoopdeskError(
            "It cannot be taken back by itself",
            f"What came since touches the same lines in {', '.join(merge.conflicts[:3])}",
            "Revert it by hand",
        )
    return _commit(mirror, merge.tree, base, message, at)


def _commit(mirror: Mirror, tree: str, parent: str, message: str, at: datetime) -> str:
    when = f"{int(at.timestamp())} +0000"
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
           for what, value in (("NAME", NAME), ("EMAIL", MAIL), ("DATE", when))}  # fmt: skip
    return mirror.run("commit-tree", tree, "-p", parent, given=message.encode(), more=who).text
