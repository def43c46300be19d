"""Unpacks a session into its empty folder, in a jail that holds only the two.

restore.py TAR SESSION
"""

import sys
import tarfile

_MOST_BYTES = 128 << 20
_MOST_FILES = 10_000


def main():
    tar, session = sys.argv[1:]
    left, files = _MOST_BYTES, 0
    with tarfile.open(tar, "r:gz") as packed:
        for member in packed:
            files += 1
            left -= member.size
            if not (member.isfile() or member.isdir()):
                return _refused(f"{member.name[:80]!r} is no plain file")
            if left < 0 or files > _MOST_FILES:
                return _refused("it is too large")
            # Raises for a name that leads out of the folder.
            packed.extract(member, session, filter="data")
    return 0


def _refused(why):
    print(why, file=sys.stderr)
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        sys.exit(_refused(type(error).__name__))
