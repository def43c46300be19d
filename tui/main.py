"""`loopdesk`: the desk's own options, or hand over to a subcommand.

The desk must be on screen in a quarter of a second, so this path is argparse and loads no click, no HTTP, no SDK.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from workspace.errors import LoopdeskError
from workspace.text import plain

VERSION = "0.1.0"
# Options of the desk that take a value: what follows them is not a subcommand.
_WITH_VALUE = ("--workspace", "--timezone", "--theme", "--backend", "--window", "--project", "--client")


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 only on success. Errors are one sentence on stderr."""
    os.umask(0o077)  # everything a workspace holds is its owner's alone
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if _subcommand(arguments) or "--help" in arguments or "-h" in arguments:
            from tui.commands.cli import run

            return run(arguments)
        return _desk(desk_options(arguments))
    except LoopdeskError as error:
        print(f"loopdesk: {plain(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of a pipe went away (`| head`): nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.filename is not None:
            raise
        # Only the output has no name: the disk behind `> file` is full.
        print(f"loopdesk: The output could not be written: {error.strerror}.", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _subcommand(arguments: Sequence[str]) -> str:
    """The first word that is neither an option nor an option's value; empty for the desk itself."""
    skip = False
    for word in arguments:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = word in _WITH_VALUE
        else:
            return word
    return ""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise LoopdeskError(message[:1].upper() + message[1:], do="See: loopdesk --help")


def desk_options(arguments: Sequence[str]) -> argparse.Namespace:
    """The desk's own options."""
    parser = _Parser(prog="loopdesk", add_help=False, allow_abbrev=False)
    parser.add_argument("--workspace")
    parser.add_argument("--timezone")
    parser.add_argument("--theme")
    parser.add_argument("--backend", choices=("posthog", "embedded"))
    parser.add_argument("--window", choices=("night", "24h", "7d", "30d"))
    parser.add_argument("--project", default="")
    parser.add_argument("--client", default="")
    parser.add_argument("--ascii", action="store_true")
    parser.add_argument("--no-mouse", action="store_true")
    parser.add_argument("--read-only", action="store_true")
    parser.add_argument("--version", action="version", version=f"loopdesk {VERSION}")
    options = parser.parse_args(arguments)
    options.arguments = list(arguments)  # to open the desk again the same way
    return options


def _desk(options: argparse.Namespace) -> int:
    # Collecting garbage while starting finds none and takes a tenth of the time, imports first of all.
    gc.disable()
    from workspace import config

    settings = config.load(
        {
            "workspace_dir": options.workspace,
            "timezone": options.timezone,
            "theme": options.theme,
            "backend": options.backend,
            "ascii": options.ascii or None,
        }
    )
    from tui.app import run_desk

    return run_desk(settings, options)


if __name__ == "__main__":
    sys.exit(main())
