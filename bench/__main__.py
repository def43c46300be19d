"""`python -m bench [startup|boards|ingest|store|rest|trace|engine]`: one table or, without an argument, all of them."""

from __future__ import annotations

import argparse
import platform
import sqlite3
import sys
from collections.abc import Sequence

NAMES = ("startup", "boards", "ingest", "store", "rest", "trace", "engine")
INGEST_EVENTS, INGEST_LARGE = 200_000, 1_000_000


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Benchmarks beside a peer or a floor.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all where none is named")
    parser.add_argument("--small", action="store_true", help="Boards without the million events, which take minutes.")
    parser.add_argument("--history", action="store_true", help="Boards also with a million events in 200 nights.")
    parser.add_argument("--huge", action="store_true", help="Boards also with ten million events: minutes, 15 GB.")
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
    if name == "startup":
        from bench import startup

        startup.run()
    elif name == "boards":
        from bench import boards

        loads = boards.LOADS[:-1] if options.small else boards.LOADS
        extra = [load for load, wanted in ((boards.HISTORY, options.history), (boards.HUGE, options.huge)) if wanted]
        boards.run([*loads, *extra])
    elif name == "ingest":
        from bench import ingest

        ingest.run(INGEST_LARGE if options.large else INGEST_EVENTS)
    elif name == "store":
        from bench import store

        store.run()
    elif name == "engine":
        from bench import engine

        engine.run()
    elif name == "trace":
        from bench import trace

        trace.run()
    else:
        from bench import rest

        rest.run()


if __name__ == "__main__":
    sys.exit(main())
