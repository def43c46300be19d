"""Writes down what an agent has done so far, while it works on: its session, and a git bundle on top of `BASE`.

    keep.py SESSION OUT [CLONE BASE]

The clone and the session are only read: the index, the objects and the refs of the bundle are of a repository of its
own, which takes nothing from the clone's config. What is written is an agent's all the same.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

SESSION, BUNDLE, RESULT, REF = "session.tar.gz", "work.bundle", "result.json", "refs/loopdesk/work"
# What the CLI goes on from. The rest of its folder (settings, caches, copies of the shell) it makes anew.
_KEPT = "projects"
_MOST_BYTES = 64 << 20
_IGNORED = ["-c", f"core.excludesFile={Path(__file__).with_name('ignored')}"]
_LONGEST = 400  # characters of an error


class Failed(Exception):
    pass


def main():
    session, out, *work = sys.argv[1:]
    try:
        _packed(Path(session), Path(out))
    except (Failed, OSError) as error:
        print(f"the session: {error}", file=sys.stderr)
    if not work:
        return 0
    clone, base = work
    try:
        result = _bundled(clone, Path(out, BUNDLE), base)
    except (Failed, OSError) as error:
        result = {"base": base, "head": "", "error": str(error)[:_LONGEST]}
    Path(out, RESULT).write_text(json.dumps(result), encoding="utf-8")
    return 0


def _packed(session, out):
    """Plain files alone."""
    part, left = out / "session.part", _MOST_BYTES
    with tarfile.open(part, "w:gz", compresslevel=1) as tar:
        for path in sorted((session / _KEPT).rglob("*")):
            if path.is_file() and not path.is_symlink():
                left -= path.stat().st_size
                if left < 0:
                    raise Failed(f"it has more than {_MOST_BYTES:,} bytes")
                tar.add(path, path.relative_to(session), recursive=False)
    part.rename(out / SESSION)


def _bundled(clone, bundle, base):
    scratch = tempfile.mkdtemp()
    own = {"GIT_DIR": scratch, "GIT_WORK_TREE": clone}
    _git({}, "init", "--quiet", "--bare", "--template=", scratch)
    alternates = Path(scratch, "objects/info/alternates")
    alternates.parent.mkdir(exist_ok=True)
    alternates.write_text(f"{clone}/.git/objects\n", encoding="utf-8")
    index = Path(clone, ".git/index")
    if index.is_file():
        shutil.copyfile(index, Path(scratch, "index"))  # so that only what changed is read
    head = _git({"GIT_DIR": f"{clone}/.git"}, "rev-parse", "--verify", "HEAD^{commit}")
    _git(own, *_IGNORED, "add", "--all")
    tree = _git(own, "write-tree")
    if tree != _git(own, "rev-parse", f"{head}^{{tree}}"):
        head = _git(own, "commit-tree", tree, "-p", head, "-m", "Keep the work so far")
    if head != base:
        _git(own, "update-ref", REF, head)
        _git(own, "bundle", "create", "--quiet", "--version=2", str(bundle), REF, f"^{base}")
    return {"base": base, "head": head, "error": ""}


def _git(environment, *arguments):
    done = subprocess.run(
        ["git", *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise Failed(f"git {arguments[-1]}: {done.stderr.strip()[-_LONGEST:]}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
