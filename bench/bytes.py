"""What each screen sends over the line: in true colour, in 16 colours, and what tmux makes of it for its client."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bench import data, processes
from bench.processes import PYTHON
from bench.table import Cell, show, spell
from bench.terminal import SIXTEEN_COLOURS, TRUE_COLOUR, Terminal
from bench.trace import round_events
from queries.local.store import Store
from workspace.paths import Workspace

EVENTS = 100_000
TRACE_EVENTS = 1_000
BUDGETS: Mapping[str, int] = {
    "start": 48_000,
    "Tab": 8_000,
    "list key": 600,
    "page": 10_000,
    "idle": 0,
    # A whole screen: half of what a start may send.
    "open": 24_000,
    "close": 24_000,
}
IDLE_S = 2.2  # two looks of the watcher
_START_S, _OPEN_S, _KEY_S = 1.5, 0.8, 0.4  # so long nothing comes: then it was all


@dataclass(frozen=True, slots=True)
class Step:
    """`keys` are pressed one by one and the largest answer counts; `before` are not measured. `shows` has to stand on
    the screen afterwards."""

    screen: str
    what: str
    keys: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    shows: str = ""


SCRIPT = (
    Step("Morning", "start", shows="Round funnel"),
    Step("Morning", "Tab", ("tab",) * 4),
    Step("Morning", "list key", ("j",) * 4),
    Step("Morning", "idle"),
    Step("Rounds", "open", ("2",), shows="errors"),
    Step("Rounds", "list key", ("j",) * 6),
    Step("Rounds", "page", ("page",) * 3),
    Step("Rounds", "idle"),
    Step("Rounds", "close", ("1",), shows="Round funnel"),
    Step("Full screen", "open", ("+",), shows="[Picture]"),
    Step("Full screen, table", "Tab", ("tab",), shows="[Table]"),
    Step("Full screen, table", "list key", ("j",) * 2),
    Step("Full screen, table", "page", ("page",)),
    Step("Full screen, HogQL", "Tab", ("tab",), shows="[HogQL]"),
    Step("Full screen, HogQL", "list key", ("j",) * 2),
    Step("Full screen, HogQL", "page", ("page",)),
    Step("Full screen", "idle"),
    Step("Full screen", "close", ("escape",), shows="Round funnel"),
    Step("Chooser", "open", ("w",), shows="30 days"),
    Step("Chooser", "list key", ("down",) * 3),
    Step("Chooser", "page", ("page",)),
    Step("Chooser", "idle"),
    Step("Chooser", "close", ("escape",), shows="Round funnel"),
    Step("Help", "open", ("?",), shows="Help and keys"),
    Step("Help", "list key", ("j",) * 3),
    Step("Help", "page", ("page",)),
    Step("Help", "idle"),
    Step("Help", "close", ("escape",), shows="Round funnel"),
    Step("Trace", "open", ("enter",), before=("2", "g", "g"), shows="round_started"),
    Step("Trace", "list key", ("j",) * 6),
    Step("Trace", "page", ("page",) * 3),
    Step("Trace", "Tab", ("tab",) * 2),
    Step("Trace", "idle"),
    Step("Trace", "close", ("escape",), shows="errors"),
    Step("Compare", "open", ("v",), before=("j", "enter"), shows="arlier"),
    Step("Compare", "list key", ("j",) * 3),
    Step("Compare", "page", ("page",)),
    Step("Compare", "idle"),
    Step("Compare", "close", ("escape",)),
)


def run() -> None:
    with tempfile.TemporaryDirectory(prefix="loopdesk-bench-") as folder:
        workspace = data.copy(data.workspace(EVENTS, data.today()), Path(folder) / "workspace")
        _bring_a_long_round(workspace)
        environment = processes.environment(LOOPDESK_CONFIG_DIR=folder, HOME=folder)
        desk = [PYTHON, "-m", "tui.main", "--workspace", str(workspace.root), "--timezone", "UTC"]
        told: dict[str, list[int] | None] = {}
        _open_anew(workspace, desk, environment)
        told["true colour"] = _told(lambda: Terminal(desk, environment, str(data.ROOT)))
        _open_anew(workspace, desk, environment)
        told["16 colours"] = _told(
            lambda: Terminal([*desk, "--theme", "loopdesk-16"], environment, str(data.ROOT), SIXTEEN_COLOURS)
        )
        _open_anew(workspace, desk, environment)
        told["in tmux"] = _in_tmux(desk, environment, Path(folder) / "tmux")
    rows: list[list[Cell]] = []
    for place, step in enumerate(SCRIPT):
        budget = BUDGETS[step.what]
        figures = [_beside(budget, written[place] if written else None) for written in told.values()]
        rows.append([f"{step.screen}: {step.what}", budget, *figures])
    notes = [
        "Each the largest of several presses; * is over the budget. A start paints what was remembered, then asks.",
        f"Idle is {IDLE_S:g} s. tmux (without its status line) draws anew for a terminal in true colour.",
    ]
    show("Bytes to the terminal, 160x48", ("what", "budget", *told), rows, notes)


def _told(opened: Callable[[], Terminal]) -> list[int]:
    """The bytes of every step of the script, in its order."""
    terminal = opened()
    try:
        return [_step(terminal, step) for step in SCRIPT]
    finally:
        terminal.close()


def _step(terminal: Terminal, step: Step) -> int:
    for key in step.before:
        terminal.press(key, quiet_s=_OPEN_S)
    if step.what == "start":
        written = terminal.read(quiet_s=_START_S)
    elif step.what == "idle":
        written = terminal.read(quiet_s=IDLE_S, at_most_s=IDLE_S)
    else:
        quiet_s = _OPEN_S if step.shows else _KEY_S
        written = max(terminal.press(key, quiet_s=quiet_s) for key in step.keys)
    if step.shows not in terminal.text:
        raise SystemExit(f"{step.screen}, {step.what}: {step.shows!r} is not on the screen:\n{terminal.text}")
    return written


def _in_tmux(desk: Sequence[str], environment: Mapping[str, str], socket: Path) -> list[int] | None:
    """None where there is no tmux."""
    settings = socket.with_suffix(".conf")
    settings.write_text(
        "set -g status off\n"
        "set -g default-terminal tmux-256color\n"
        "set -ga terminal-features ',xterm-256color:RGB'\n"
        "set -sg escape-time 10\n",
        encoding="utf-8",
    )
    tmux = ["tmux", "-S", str(socket), "-f", str(settings)]
    try:
        subprocess.run([*tmux, "-V"], check=True, capture_output=True)
    except OSError:
        return None
    outside = {name: value for name, value in environment.items() if not name.startswith("TMUX")}
    try:
        return _told(lambda: Terminal([*tmux, "new-session", *desk], outside, str(data.ROOT), TRUE_COLOUR))
    finally:
        subprocess.run([*tmux, "kill-server"], env=outside, capture_output=True, check=False)


def _bring_a_long_round(workspace: Workspace) -> None:
    """The last one of the night: the first row of Rounds."""
    store = Store.open(workspace.events_db)
    store.ingest(list(round_events(TRACE_EVENTS, data.today() - timedelta(minutes=10))), now=data.today())
    store.close()


def _open_anew(workspace: Workspace, desk: Sequence[str], environment: Mapping[str, str]) -> None:
    """Forget where the desk was left, and open it once so that the start that is measured has something to paint."""
    for path in workspace.root.glob("desk.db*"):
        path.unlink()
    terminal = Terminal(desk, environment, str(data.ROOT))
    terminal.read(quiet_s=_START_S)
    terminal.close()


def _beside(budget: int, written: int | None) -> str:
    return "-" if written is None else f"{spell(written)}{'*' if written > budget else ' '}"
