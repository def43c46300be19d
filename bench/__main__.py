"""`python -m bench [NAME]...`: one table a name or, without any, all of them. `--help` lists the names."""

from __future__ import annotations

import argparse
import importlib
import platform
import sqlite3
import sys
from collections.abc import Sequence

NAMES = (
    "startup",
    "bytes",
    "boards",
    "gallery",
    "ingest",
    "store",
    "rest",
    "trace",
    "search",
    "redaction",
    "engine",
    "grouping",
    "inbox",
    "fix",
)
INGEST_EVENTS, INGEST_LARGE = 200_000, 1_000_000


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Benchmarks beside a peer or a floor.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all where none is named")
    parser.add_argument("--small", action="store_true", help="Boards without the million events, which take minutes.")
    parser.add_argument("--history", action="store_true", help="Boards also with a million events in 200 nights.")
    parser.add_argument("--huge", action="store_true", help="Boards also with ten million events: minutes, 15 GB.")
    parser.add_argument("--long", action="store_true", help="Rest for ten minutes instead of half a one.")
    parser.add_argument("--large", action="store_true", help="Ingest a million events instead of 200,000.")
    options = parser.parse_args(argv)
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.platform()}")
    for name in options.names or NAMES:
        _run(name, options)
    return 0


def _run(name: str, options: argparse.Namespace) -> None:
    """Each is a module of its own, loaded only when it is wanted."""
    bench = importlib.import_module(f"bench.{name}")
    if name == "boards":
        loads = bench.LOADS[:-1] if options.small else bench.LOADS
        extra = [load for load, wanted in ((bench.HISTORY, options.history), (bench.HUGE, options.huge)) if wanted]
        bench.run([*loads, *extra])
    elif name == "rest":
        bench.run(bench.LONG_S if options.long else bench.REST_S)
    elif name == "ingest":
        bench.run(INGEST_LARGE if options.large else INGEST_EVENTS)
    else:
        bench.run()


if __name__ == "__main__":
    sys.exit(main())
