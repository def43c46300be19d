"""What `loopdesk web` starts for a browser: the desk, as the program of a terminal of its own."""

from __future__ import annotations

import fcntl
import os
import sys
import termios
from pathlib import Path


def main() -> int:
    try:
        # With the terminal as its own the desk is told by SIGHUP when the browser or the server went away.
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    except OSError:
        return 129  # they are gone already
    # Started by its path, so that no folder one happens to stand in can bring modules of the same names.
    sys.path.append(str(Path(__file__).resolve().parents[2]))
    from tui.main import main

    os.environ["LOOPDESK_SERVED"] = "1"  # who sits at a browser gets a desk, and no program of this machine
    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
