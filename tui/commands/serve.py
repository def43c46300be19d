"""`loopdesk serve`: the embedded PostHog, until it is stopped. On loopback, unless it is bound to another address."""

from __future__ import annotations

import errno
import ipaddress
import json
import signal
import socket
import sqlite3
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from queries.local import keys, prices, retention
from queries.local.backend import LocalBackend
from queries.local.origins import Reach
from queries.local.server import application
from queries.local.store import Store
from tui.commands.cli import Context
from workspace.errors import LoopdeskError
from workspace.paths import Workspace
from workspace.text import plain

_LOOPBACK = "127.0.0.1"


@click.command("serve")
@click.option("--port", type=click.IntRange(0, 65535), help="Port on loopback; 0 takes a free one. Default 8377.")
@click.option("--bind", metavar="ADDRESS", help="Listen on this address too. Other machines need keys of their own.")
@click.option("--new-key", metavar="NAME", help="Make a key for the machine NAME, print it, and end.")
@click.option("--remove-key", metavar="NAME", help="Forget the key of the machine NAME, and end.")
@click.option("--list-keys", is_flag=True, help="Print the names of the machines that have a key, and end.")
@click.option("--json", "as_json", is_flag=True, help="Print the address and key as one JSON line.")
@click.pass_obj
def command(
    context: Context,
    port: int | None,
    bind: str | None,
    new_key: str | None,
    remove_key: str | None,
    list_keys: bool,
    as_json: bool,
) -> int:
    """Run the embedded PostHog. Loops send their events to it; its address and project key are printed at once."""
    workspace = context.workspace.create()
    if new_key is not None:
        _print_new_key(workspace, new_key, as_json)
    elif remove_key is not None:
        keys.remove_machine(workspace.root, remove_key)
        print(f"The key of {remove_key} works no longer.", file=sys.stderr)
    elif list_keys:
        names = sorted(keys.load_keys(workspace.root).machines)
        _say(json.dumps({"machines": names}) if as_json else "\n".join(names) or "No machine has a key of its own.")
    else:
        _serve(context, workspace, context.config.port if port is None else port, bind, as_json)
    return 0


def _serve(context: Context, workspace: Workspace, port: int, bind: str | None, as_json: bool) -> None:
    import uvicorn

    config = context.config
    store = Store.open(
        workspace.events_db,
        prices=prices.load(config.prices_file),
        keep_prompts=retention.keeps_prompts(config.prompt_days),
    )
    current_keys = keys.follow(workspace.root)
    place = _place(bind, bool(current_keys().machines), port)
    listeners = _listen(place, port)
    backend = LocalBackend(workspace.events_db, config.zone)
    app = application(
        store,
        backend,
        current_keys(),
        _warn,
        current_keys=current_keys,
        reach=Reach(place.hosts, place.any_address, config.browser_origins),
    )
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=5,
            proxy_headers=False,  # who is on loopback is decided by the connection, not by a header
        )
    )
    forgetting = _Forgetting(workspace.events_db, config.prompt_days)
    forgetting.start()
    # Before the address is told: whoever waits for it may stop the server at once, while asyncio is still setting up.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    try:
        _tell(workspace, place, listeners[0].getsockname()[1], current_keys().project, as_json)
        server.run(sockets=listeners)
    finally:
        forgetting.stop()
        backend.close()
        store.close()


@dataclass(frozen=True, slots=True)
class _Place:
    """Addresses to listen on, each with its family. `own` is how this machine calls it and `network` how others do;
    `hosts` are the names that they may use."""

    addresses: tuple[tuple[socket.AddressFamily, str], ...] = ((socket.AF_INET, _LOOPBACK),)
    own: str = _LOOPBACK
    network: str = ""
    hosts: frozenset[str] = frozenset()
    any_address: bool = False


def _place(bind: str | None, has_machine_keys: bool, port: int) -> _Place:
    """Raises `LoopdeskError` where other machines could reach it and none has a key."""
    if bind is None:
        return _Place()
    try:
        family, *_, (resolved, *_) = socket.getaddrinfo(bind, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise LoopdeskError(
            f"{plain(bind, 100)!r} is no address of this machine", do="Name one, such as 192.168.1.10 or 0.0.0.0"
        ) from error
    address = str(resolved)
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if parsed.is_loopback:
        return _Place(((family, address),), address)
    if not has_machine_keys:
        raise LoopdeskError(
            "No machine has a key of its own yet, so nothing was bound to the network",
            "The project key of this machine is taken from loopback only",
            f"Run: loopdesk serve --new-key NAME, for each machine; or, better: {_tunnel(port or 8377)}",
        )
    if parsed.is_unspecified:
        name = socket.gethostname().lower()
        return _Place(((family, address),), network=name, hosts=frozenset({name, f"{name}.local"}), any_address=True)
    # The loops of this machine still find it on loopback.
    return _Place(
        (*_Place().addresses, (family, address)), network=address, hosts=frozenset({bind.lower(), address.lower()})
    )


def _listen(place: _Place, port: int) -> list[socket.socket]:
    listeners: list[socket.socket] = []
    try:
        for family, address in place.addresses:
            listeners.append(_listener(family, address, port))
            port = listeners[0].getsockname()[1]
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _listener(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    # asyncio turns Nagle's delay off only where the protocol is named; with it every answer is 40 ms late.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise LoopdeskError(
                f"Port {port} is already in use",
                "Another `loopdesk serve`, or another program, listens there",
                "Use that one, or choose another with --port",
            ) from error
        if error.errno == errno.EADDRNOTAVAIL:
            raise LoopdeskError(
                f"{address} is no address of this machine", do="Name one of its own with --bind, or 0.0.0.0"
            ) from error
        raise LoopdeskError(f"Cannot listen on port {port}: {error.strerror}") from error
    return listener


def _tell(workspace: Workspace, place: _Place, port: int, project_key: str, as_json: bool) -> None:
    url, network_url = _url(place.own, port), _url(place.network, port) if place.network else None
    if as_json:
        document = {"url": url, "project_key": project_key, "workspace": str(workspace.root)}
        _say(json.dumps(document | ({"network_url": network_url} if network_url else {})))
        return
    _say(f"POSTHOG_HOST={url}\nPOSTHOG_API_KEY={project_key}")
    _tell_person(f"Storing events in {workspace.events_db}. Stop with Ctrl-C.")
    if network_url:
        _tell_person(f"Other machines send to {network_url}, each with its own key (--new-key NAME), unencrypted.")
        _tell_person(f"Better, without --bind: {_tunnel(port)}")


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _tunnel(port: int) -> str:
    return f"ssh -R {port}:127.0.0.1:{port} MACHINE, which then sends to http://127.0.0.1:{port}"


def _print_new_key(workspace: Workspace, name: str, as_json: bool) -> None:
    key = keys.add_machine(workspace.root, name)
    _say(json.dumps({"machine": name, "project_key": key}) if as_json else f"POSTHOG_API_KEY={key}")
    _tell_person(f"Set it on {name}; it may send events to a server that was started with --bind.")


class _Forgetting(threading.Thread):
    """Removes old prompts at the start and once a day, on a connection of its own."""

    def __init__(self, events_db: Path, prompt_days: int) -> None:
        super().__init__(name="forgetting", daemon=True)
        self._events_db, self._prompt_days = events_db, prompt_days
        self._stopped = threading.Event()

    def run(self) -> None:
        while True:
            try:
                store = Store.open(self._events_db)
                try:
                    store.forget_payloads(retention.cutoff(datetime.now(UTC), self._prompt_days))
                finally:
                    store.close()
            except (LoopdeskError, sqlite3.Error) as error:  # the next day may go better
                _warn(f"Old prompts were not removed. {error}")
            if self._stopped.wait(retention.EVERY.total_seconds()):
                return

    def stop(self) -> None:
        self._stopped.set()
        self.join(5)


def _warn(text: str) -> None:
    print(f"loopdesk: {plain(text, 500)}", file=sys.stderr, flush=True)


def _tell_person(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _say(line: str) -> None:
    # Flushed, because a script waits for it at the other end of a pipe.
    print(line, flush=True)
