"""`make wheel-check`: the wheel as a stranger meets it: an empty environment, an empty home, far from this tree.

Builds the wheel, installs it with what it needs, and runs what the README names first. Run with
`python -m tests.wheel_check`; it uses pip as it is configured here, and prints what it found.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("observability", "workspace", "queries", "engine", "tui", "themes")
# Data without which something of the desk is missing, as patterns of names in the wheel; each must match something.
NEEDED = (
    r"queries/catalog/round_funnel\.sql",
    r"queries/local/compiled\.json",
    r"tui/styles/.*\.tcss",
    r"themes/.*\.toml",
    r"engine/evals/fixes/.*\.toml",
    r"observability/posthog_client\.py",
    r"examples/mini_autoresearch/loop\.py",
    r"loopdesk-.*\.dist-info/licenses/LICENSE",
)
UNWANTED = r"(^|/)(tests|bench|docs|\.ci|\.git)/|\.pyc$|/__pycache__/|\.env$|(^|/)test_[^/]*\.py$"
ENTRY = "tests/logs/compressor.tsv"


def main() -> int:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="wheel-check-") as folder:
        wheel = build(Path(folder))
        look_into(wheel)
        environment = Environment(Path(folder), wheel)
        environment.install()
        environment.look_at_bytecode()
        environment.use()
    print(f"The wheel works on its own ({time.monotonic() - started:.0f} s).")
    return 0


def build(folder: Path) -> Path:
    """pip makes the build's own environment, so that nothing of this one is needed."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder / "dist"),
        str(ROOT),
    ]
    run(command, folder)
    (wheel,) = (folder / "dist").glob("loopdesk-*.whl")
    print(f"built {wheel.name}, {wheel.stat().st_size / 1e3:,.0f} kB")
    return wheel


def look_into(wheel: Path) -> None:
    """Every file of data that the tree has is in it, and nothing that only a developer needs."""
    names = zipfile.ZipFile(wheel).namelist()
    for pattern in NEEDED:
        expect(any(re.fullmatch(pattern, name) for name in names), f"nothing like {pattern} is in the wheel")
    unwanted = [name for name in names if re.search(UNWANTED, name)]
    expect(not unwanted, f"the wheel holds {unwanted[:3]}")
    done = subprocess.run(["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 0:  # an unpacked source distribution has no list to compare with
        forgotten = sorted(set(done.stdout.split()) - set(names))
        expect(not forgotten, f"the wheel lacks {forgotten[:3]}")
    print(f"holds {len(names)} files: the packages with all their data, the example, and no tests")


class Environment:
    """An empty virtual environment, an empty home and a folder to stand in, none of them in the tree."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder, self.wheel = folder, wheel
        self.python = folder / "venv" / "bin" / "python"
        self.elsewhere = folder / "elsewhere"
        self.home = folder / "home"
        self.variables = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "POSTHOG_", "AUTORESEARCH_", "LOOPDESK_", "XDG_", "VIRTUAL_ENV"))
        } | {"HOME": str(self.home), "TZ": "UTC"}

    def install(self) -> None:
        for made in (self.elsewhere, self.home):
            made.mkdir(mode=0o700)
        run([sys.executable, "-m", "venv", str(self.folder / "venv")], self.folder)
        # The home is empty for loopdesk, not for pip: its cache and its index are this machine's.
        run(
            [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(self.wheel)],
            self.folder,
        )

    def look_at_bytecode(self) -> None:
        """pip compiles what it installs: the first start is as fast as the second."""
        code = f"import importlib.util as u; print(*(u.find_spec(name).origin for name in {PACKAGES}))"
        for origin in run([str(self.python), "-P", "-c", code], self.elsewhere, self.variables).split():
            place = str(Path(origin).parent)
            sources = [path for path in Path(place).rglob("*.py") if path.stat().st_size]
            compiled = list(Path(place).rglob("__pycache__/*.pyc"))
            expect(len(compiled) >= len(sources), f"{place} is not compiled")
            expect(str(self.folder) in place, f"{place} is not in the new environment")

    def use(self) -> None:
        """What the README names, in its order."""
        self.says("--version", expected="loopdesk 0.")
        workspace = str(self.folder / "weekend")
        self.says("demo", "--prepare", workspace, expected="simulated events")
        self.says("query", "round_funnel", "--window", "7d", "--workspace", workspace, expected="started")
        # Not of the catalog, so that it needs the grammar and the printer.
        hogql = "SELECT event, count() FROM events GROUP BY event ORDER BY event LIMIT 3"
        answer = json.loads(self.says("query", hogql, "--json", "--workspace", workspace))
        expect(len(answer["results"]) == 3, "a HogQL text was not answered")
        self.says("brief", "--workspace", workspace, expected="SIMULATED")
        self.says("import", str(ROOT / ENTRY), expected="stored")
        self.says("brief", "--window", "30d", expected="loopdesk brief")
        self.says("doctor", expected="events.db")
        self.says("storage", expected="events.db")
        self.says("backup", str(self.folder / "backup.tar.gz"), expected="Wrote")
        self.says(
            "restore",
            str(self.folder / "backup.tar.gz"),
            "--workspace",
            str(self.folder / "restored"),
            expected="Restored",
        )
        self.says("service", "install", "--dry-run", expected="serve")
        kept = {path.relative_to(self.home).parts[0] for path in self.home.rglob("*")}
        expect(kept <= {".local", "Library", ".cache"}, f"the home holds {sorted(kept)}")
        expect(list(self.elsewhere.iterdir()) == [], "something was written where the commands were run")

    def says(self, *arguments: str, expected: str = "") -> str:
        said = run([str(self.python.with_name("loopdesk")), *arguments], self.elsewhere, self.variables)
        expect(expected in said, f"`loopdesk {' '.join(arguments)}` says {said[:200]!r}, not {expected!r}")
        print(f"loopdesk {' '.join(arguments)[:60]}")
        return said


def run(command: list[str], folder: Path, variables: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=600)
    expect(done.returncode == 0, f"{' '.join(command)[:200]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def expect(is_right: object, said: str) -> None:
    if not is_right:
        raise SystemExit(f"wheel-check: {said}")


if __name__ == "__main__":
    sys.exit(main())
