"""`loopdesk serve`: the embedded PostHog on loopback, until it is stopped."""

from __future__ import annotations

import errno
import json
import socket
import sys

import click

from queries.local.backend import LocalBackend
from queries.local.keys import load_keys
from queries.local.server import application
from queries.local.store import Store
from tui.commands.cli import Context
from workspace.errors import LoopdeskError


@click.command("serve")
@click.option("--port", type=click.IntRange(0, 65535), help="Port on loopback; 0 takes a free one. Default 8377.")
@click.option("--json", "as_json", is_flag=True, help="Print the address and key as one JSON line.")
@click.pass_obj
def command(context: Context, port: int | None, as_json: bool) -> int:
    """Run the embedded PostHog. Loops send their events to it; its address and project key are printed at once."""
    import uvicorn

    workspace = context.workspace.create()
    store = Store.open(workspace.events_db)
    keys = load_keys(workspace.root)
    listener = _listen(context.config.port if port is None else port)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    if as_json:
        _say(json.dumps({"url": url, "project_key": keys.project, "workspace": str(workspace.root)}))
    else:
        _say(f"POSTHOG_HOST={url}\nPOSTHOG_API_KEY={keys.project}")
        print(f"Storing events in {workspace.events_db}. Stop with Ctrl-C.", file=sys.stderr, flush=True)
    backend = LocalBackend(workspace.events_db, context.config.zone)
    app = application(store, backend, keys, warn=lambda text: print(f"loopdesk: {text}", file=sys.stderr, flush=True))
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_level="critical", access_log=False, lifespan="off", ws="none", timeout_graceful_shutdown=5
        )
    )
    try:
        server.run(sockets=[listener])
    finally:
        backend.close()
        store.close()
    return 0


def _listen(port: int) -> socket.socket:
    # asyncio turns Nagle's delay off only where the protocol is named; with it every answer is 40 ms late.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise LoopdeskError(
                f"Port {port} is already in use",
                "Another `loopdesk serve`, or another program, listens there",
                "Use that one, or choose another with --port",
            ) from error
        raise LoopdeskError(f"Cannot listen on port {port}: {error.strerror}") from error
    return listener


def _say(line: str) -> None:
    # Flushed, because a script waits for it at the other end of a pipe.
    print(line, flush=True)
