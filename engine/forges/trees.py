"""What leaves a mirror for other hands: the files of a commit for CI; and a change, read."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from engine.diff import Diff, FileChange, listed, with_lines
from engine.forges.mirror import Mirror
from engine.git import GitFailed
from workspace.errors import LoopdeskError

MOST_FILES = 200_000
MOST_NAMES = 24 << 20  # bytes of all paths and ids
MOST_BYTES = 4 << 30
MOST_DIFF = 8 << 20  # bytes of the files on both sides; more is listed and not read
_SIZE = re.compile(rb"\d+ blob [0-9a-f]+ +(\d+)\t")


@dataclass(frozen=True, slots=True)
class MergeTree:
    """`tree` is the merged one; with conflicts it is not to be used."""

    tree: str
    conflicts: tuple[str, ...]


def export(mirror: Mirror, sha: str, folder: Path) -> None:
    """The files of a commit in a new folder, nothing of git beside them. Submodules are empty folders, links are links.
    Raises `LoopdeskError`, for a tree that is too large before a file is written."""
    sha = mirror.commit(sha)
    _weigh(mirror, sha)
    folder.mkdir(mode=0o700, parents=True)
    index = folder.with_name(f".{folder.name}.index")
    more = {"GIT_INDEX_FILE": str(index), "GIT_WORK_TREE": str(folder)}
    try:
        mirror.run("read-tree", sha, more=more)
        mirror.run("checkout-index", "--all", "--quiet", more=more, timeout_s=600)
    finally:
        index.unlink(missing_ok=True)


def read_diff(mirror: Mirror, base: str, head: str, *, most: int = MOST_DIFF) -> Diff:
    """`base..head` as data. Attributes, drivers and configuration have no say in it."""
    base, head = mirror.commit(base), mirror.commit(head)
    for side in (base, head):
        _measure(mirror, side)
    common = ["-r", "-M", "-z", "--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=none"]
    try:
        raw = mirror.run("diff-tree", *common, "--raw", "--no-abbrev", base, head, "--", most=most).out
        numbers = mirror.run("diff-tree", *common, "--numstat", base, head, "--", most=most).out
        files = _sized(mirror, listed(raw, numbers))
        if sum(file.old_size + file.new_size for file in files) > most:
            return Diff(base, head, files, is_whole=False)
        patch = mirror.run(
            "diff-tree", *common, "--patch", "--unified=3", "--full-index", base, head, "--", most=8 * most
        ).out
        return Diff(base, head, with_lines(files, patch))
    except (ValueError, KeyError) as error:
        raise LoopdeskError("The change cannot be read", f"git's answer about it is not understood ({error})") from None
    except GitFailed as error:
        raise LoopdeskError("The change is too large to be read", error.said) from None


def merge_tree(mirror: Mirror, base: str, head: str) -> MergeTree:
    """Both sides merged without a work tree. Nothing moves."""
    done = mirror.run(
        "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages",
        mirror.commit(base), mirror.commit(head), fine=(0, 1),
    )  # fmt: skip
    tree, *names = done.out.decode("utf-8", "backslashreplace").split("\0")
    return MergeTree(tree, tuple(dict.fromkeys(name for name in names if name)) if done.code else ())


def _sized(mirror: Mirror, files: tuple[FileChange, ...]) -> tuple[FileChange, ...]:
    """With the sizes of both sides, from the objects themselves."""
    wanted = [sha for file in files for sha in (file.old_sha, file.new_sha)]
    given = "".join(f"{sha}\n" for sha in wanted).encode()
    lines = mirror.run("cat-file", "--batch-check=%(objectsize)", given=given).lines
    # The other side of an added file, and the commit of a submodule, are not here: their line says "missing".
    sizes = [int(line) if line.isdigit() else 0 for line in lines]
    return tuple(
        replace(file, old_size=old, new_size=new) for file, old, new in zip(files, sizes[::2], sizes[1::2], strict=True)
    )


def _measure(mirror: Mirror, sha: str) -> None:
    """A pack of a few kilobytes can unfold into more files than any disk or memory holds: before git collects names,
    they are counted as they come."""
    try:
        entries = mirror.run("ls-tree", "-r", "-z", sha, most=MOST_NAMES).out.split(b"\0")
    except GitFailed as error:
        raise LoopdeskError("The tree is too large to be written out or compared", error.said) from None
    if len(entries) > MOST_FILES:
        raise LoopdeskError(f"The tree has {len(entries):,} files", f"The most that are read are {MOST_FILES:,}")


def _weigh(mirror: Mirror, sha: str) -> None:
    """The files' bytes, once their number is known to be bounded."""
    _measure(mirror, sha)
    entries = mirror.run("ls-tree", "-r", "-l", "-z", sha).out.split(b"\0")
    total = sum(int(found[1]) for entry in entries if (found := _SIZE.match(entry)))
    if total > MOST_BYTES:
        raise LoopdeskError(f"The tree has {total >> 20:,} MB", f"At most {MOST_BYTES >> 20:,} MB are written out")
