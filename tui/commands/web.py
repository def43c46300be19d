"""`loopdesk web`: the desk in a browser, until it is stopped."""

from __future__ import annotations

import asyncio
import errno
import importlib.util
import json
import os
import signal
import socket
import stat
import sys
from pathlib import Path

import click

from tui.commands.cli import Context
from workspace.errors import LoopdeskError

PORT = 8378  # beside `loopdesk serve`


@click.command("web")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 takes a free one.")
@click.option(
    "--socket",
    "path",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Listen on a unix socket that is yours alone, for: ssh -L PORT:PATH HOST.",
)
@click.option("--allow-writes", is_flag=True, help="Let the browser change things; else its desk is read-only.")
@click.option("--json", "as_json", is_flag=True, help="Print addresses as JSON lines.")
@click.pass_obj
def command(context: Context, port: int, path: Path | None, allow_writes: bool, as_json: bool) -> int:
    """The desk in a browser of this machine. The address that is printed opens it once, in one browser.

    From another machine: ssh -L 8378:127.0.0.1:8378 HOST, and the same address there.
    """
    if any(importlib.util.find_spec(name) is None for name in ("aiohttp", "textual_serve")):
        raise LoopdeskError(
            "The desk in a browser needs textual-serve, which is not installed", do="Run: pip install 'loopdesk[web]'"
        )
    if path is not None and port == 0:
        raise LoopdeskError(
            "--socket needs a --port that is not 0", "It is the browser's end of the line, and part of the address"
        )
    from tui.web.gate import Gate
    from tui.web.server import Desks, application
    from tui.web.terminal import desk_command, desk_environment

    listener = _listen_unix(path) if path else _listen(port)
    gate = Gate(f"127.0.0.1:{port if path else listener.getsockname()[1]}")
    desks = Desks(
        desk_command(desk_options(context, allow_writes=allow_writes)),
        desk_environment(os.environ, asks_posthog=context.config.asks_posthog),
    )

    def say(address: str) -> None:
        # Flushed, because a script waits for it at the other end of a pipe.
        print(json.dumps({"url": address}) if as_json else address, flush=True)

    def say_next(address: str) -> None:
        if not as_json:
            print("Opened. The next browser is opened by:", file=sys.stderr, flush=True)
        say(address)

    say(gate.address)
    if not as_json:
        print(
            f"{'Changes are allowed' if allow_writes else 'Read-only'}. Stop with Ctrl-C.", file=sys.stderr, flush=True
        )
    try:
        asyncio.run(_serve(application(gate, desks, say_next), listener))
    finally:
        listener.close()
        if path:
            path.unlink(missing_ok=True)
    return 0


def desk_options(context: Context, *, allow_writes: bool) -> list[str]:
    """How the desk behind the page is called: on the same workspace, with what the command line said."""
    options = ["--workspace", str(context.workspace.root.absolute())]
    for name in ("timezone", "backend"):
        value = context.overrides.get(name)
        options += [f"--{name}", str(value)] if value else []
    return options if allow_writes else [*options, "--read-only"]


async def _serve(app: object, listener: socket.socket) -> None:
    from aiohttp import web

    assert isinstance(app, web.Application)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=10.0)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        await stopped.wait()
    finally:
        await runner.cleanup()


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise LoopdeskError(
                f"Port {port} is already in use",
                "Another `loopdesk web`, or another program, listens there",
                "Use that one, or choose another with --port",
            ) from error
        raise LoopdeskError(f"Cannot listen on port {port}: {error.strerror}") from error


def _listen_unix(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_left_behind(path)
        listener.bind(str(path))  # its owner's alone: `main` has set the umask
        listener.listen(16)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise LoopdeskError(f"{path} is in use or is no socket", do="Name another one with --socket") from error
        raise LoopdeskError(f"Cannot listen on {path}: {error.strerror or error}") from error
    return listener


def _remove_left_behind(path: Path) -> None:
    """A socket that nobody listens on any more, of a server that was killed."""
    if not (path.exists() and stat.S_ISSOCK(path.stat().st_mode)):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
