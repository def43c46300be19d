"""Opens the desk on a workspace: gathers what it needs, runs it, and does what it ended with."""

from __future__ import annotations

import argparse
import gc
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from queries.cache import AnswerCache
from queries.views.filters import Filters
from themes import loader
from tui.asker import Place, open_asker
from tui.desk import DEMO, EMBEDDED, RECONNECT, Desk
from tui.inboxdoor import InboxDoor
from tui.keymap import Keymap
from tui.knobdoor import KnobDoor
from tui.left import Left, read
from workspace.config import Config
from workspace.connection import CURRENT, Connection, offered_host
from workspace.errors import LoopdeskError
from workspace.paths import config_folder

if TYPE_CHECKING:
    from tui.posthogdoor import PostHogDoor

UNCHANGED = "loopdesk: PostHog has not answered the change that was sent last; look at it with: loopdesk flags"
UNSENT = "loopdesk: PostHog has not answered what you decided last about a report of its own; look there."


def run_desk(settings: Config, options: argparse.Namespace) -> int:
    """Open the desk on the workspace of `settings`. Returns the exit code; raises `LoopdeskError`."""
    # Textual reads keys from stdin and draws on stderr; without a terminal it would wait for keys for ever.
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise LoopdeskError(
            "The desk needs a terminal to read keys from and to draw on",
            do="In a script, use: loopdesk query NAME --json",
        )
    workspace = settings.workspace
    if not (options.read_only and workspace.root.is_dir()):
        workspace.create()
    try:
        theme = loader.load(settings.theme, config_folder() / "themes")
    except loader.ThemeError as error:
        raise LoopdeskError(str(error)) from error
    asker = open_asker(settings, read_only=options.read_only)
    cache = AnswerCache(workspace.desk_db, source=asker.source, read_only=options.read_only)
    is_simulated = workspace.demo_marker.exists()
    door = InboxDoor(workspace, read_only=options.read_only)
    posthog = _posthog(settings)
    knobs = KnobDoor(settings)
    desk = Desk(
        asker,
        cache,
        left=_left(cache, options),
        keys=Keymap(settings.keys, read_only=options.read_only),
        theme=theme,
        ascii=settings.ascii,
        zone=settings.zone,
        label="simulated" if asker.is_embedded and is_simulated else "",
        read_only=options.read_only,
        connection=_known_connection(settings),
        door=door,
        posthog=posthog,
        knobs=knobs,
        config=replace(settings, anthropic_key="") if is_simulated else settings,  # as its engine does
        painted=_collect_again,
    )
    wish = desk.run(mouse=not options.no_mouse)
    door.close()
    if posthog is not None and not posthog.close():
        print(UNSENT, file=sys.stderr)
    if not knobs.close():
        print(UNCHANGED, file=sys.stderr)
    cache.close()
    asker.close()
    again = {
        DEMO: ["demo"],
        EMBEDDED: [*options.arguments, "--backend", "embedded"],
        RECONNECT: [*options.arguments, "--backend", "posthog"],
    }
    if wish in again:
        from tui.main import main

        return main(again[wish])
    return desk.return_code or 0


def _posthog(settings: Config) -> PostHogDoor | None:
    """The way to the reports of the project that is asked."""
    if not (settings.asks_posthog and settings.posthog_personal_key):
        return None
    from tui.posthogdoor import PostHogDoor

    return PostHogDoor(settings)


def _collect_again() -> None:
    gc.freeze()  # what the start loaded stays; looking through it again and again would only make keys wait
    gc.enable()


def _known_connection(settings: Config) -> Connection:
    """What the connection form begins with."""
    return Connection(offered_host(settings), settings.posthog_project_id or CURRENT, settings.posthog_personal_key)


def _left(cache: AnswerCache, options: argparse.Namespace) -> Left:
    """Where the desk was left, unless the command line says otherwise."""
    left = read(cache.states())
    filters = left.place.filters
    place = Place(
        kind=options.window or left.place.kind,
        filters=Filters(options.project or filters.project, options.client or filters.client),
    )
    return replace(left, place=place)
