"""What the README shows of the desk, made by the desk: `python -m tui.readme` writes the key table and the picture."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from queries.cache import AnswerCache
from queries.local.store import Store
from queries.simulator import simulate
from tui.app import Desk
from tui.asker import LocalAsker
from tui.keymap import readme_table
from workspace.config import Config
from workspace.paths import Workspace

ROOT = Path(__file__).resolve().parents[1]
README, PICTURE = ROOT / "README.md", ROOT / "docs" / "morning.svg"
MORNING = datetime(2026, 11, 20, 7, 12, tzinfo=UTC)
SIZE = (160, 48)
_TABLE = re.compile(r"(<!-- keys: .*? -->\n).*?(<!-- end of keys -->)", re.DOTALL)
_WEB_FONTS = re.compile(r"@font-face\s*{.*?}", re.DOTALL)


def with_keys(readme: str) -> str:
    """The README's text with its key table as the keymap has it now."""
    return _TABLE.sub(lambda found: f"{found[1]}{readme_table()}{found[2]}", readme)


def _at_once(run: Callable[[], object]) -> None:
    run()


async def picture() -> str:
    """The Morning screen on a simulated weekend, as SVG that loads nothing from anywhere."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        store = Store.open(workspace.events_db)
        with store.transaction():
            for batch in simulate(1, until=MORNING):
                store.ingest(batch, now=MORNING)
        store.close()
        settings = Config(workspace_dir=folder, timezone="UTC")
        cache = AnswerCache(workspace.desk_db)
        asker = LocalAsker(settings, now=lambda: MORNING)
        desk = Desk(asker, cache, label="simulated", now=lambda: MORNING, spawn=_at_once, watch=False)
        async with desk.run_test(size=SIZE) as pilot:
            await pilot.pause()
            svg = desk.export_screenshot(title="loopdesk")
        cache.close()
    return _WEB_FONTS.sub("", svg)


if __name__ == "__main__":
    README.write_text(with_keys(README.read_text(encoding="utf-8")), encoding="utf-8")
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(asyncio.run(picture()), encoding="utf-8")
