"""Writes what leaves a jail: a git bundle of `BASE..HEAD`, and a result of a few lines. What was not committed is.

    pack.py CLONE OUT BASE

It runs in a jail of its own after the agent's is gone, because the clone's config, hooks and filters run here. Both
files can be forged by them: whoever reads them takes them for an agent's.
"""

import json
import subprocess
import sys
from pathlib import Path

BUNDLE, RESULT, REF = "work.bundle", "result.json", "refs/loopdesk/work"
# Not a defence, which the jail is; an honest clone just needs none of these to run.
_QUIET = [
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "commit.gpgSign=false",
    "-c",
    "gc.auto=0",
]
_IGNORED = ["-c", f"core.excludesFile={Path(__file__).with_name('ignored')}"]
_LONGEST = 400  # characters of an error


class Failed(Exception):
    pass


def main() -> int:
    clone, out, base = sys.argv[1:]
    try:
        result = _pack(clone, out, base)
    except Failed as error:
        result = {"base": base, "head": "", "error": str(error)[:_LONGEST]}
    Path(out, RESULT).write_text(json.dumps(result), encoding="utf-8")
    return 0


def _pack(clone, out, base):
    def git(*arguments):
        done = subprocess.run(
            ["git", *_QUIET, *arguments],
            cwd=clone,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
        if done.returncode:
            raise Failed(f"git {arguments[-1]}: {done.stderr.strip()[-_LONGEST:]}")
        return done.stdout.strip()

    git(*_IGNORED, "add", "--all")
    if git("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all"):
        git("commit", "--quiet", "--no-verify", "--message", "Keep what was left uncommitted")
    head = git("rev-parse", "--verify", "HEAD^{commit}")
    if head != base:
        git("update-ref", REF, head)
        git("bundle", "create", "--quiet", "--version=2", str(Path(out, BUNDLE)), REF, f"^{base}")
    return {"base": base, "head": head, "error": ""}


if __name__ == "__main__":
    sys.exit(main())
