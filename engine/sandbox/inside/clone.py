"""Fills an empty clone from the mirror, in a jail that holds only the two: one branch, no remote, no tags.

clone.py MIRROR CLONE SHA
"""

import subprocess
import sys


def main() -> int:
    mirror, clone, sha = sys.argv[1:]
    for arguments in (
        ["init", "--quiet", "--template=", "--initial-branch=work", "."],
        # Any commit may be asked for by its name in the second version of the protocol.
        ["-c", "protocol.version=2", "fetch", "--quiet", "--no-tags", mirror, sha],
        ["reset", "--quiet", "--hard", "FETCH_HEAD"],
    ):
        done = subprocess.run(["git", *arguments], cwd=clone, stdin=subprocess.DEVNULL)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
