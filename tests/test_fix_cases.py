"""The cases of `eval fix`: each bug is one, each solution is one, and what looks like one is none; in the jail."""

from __future__ import annotations

import asyncio
import shlex
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from engine.evals import fix_cases
from engine.evals.fix_cases import FixCase, edited
from engine.guard_rules import EXECUTED, matches
from engine.sandbox.bubblewrap import Bubblewrap
from engine.sandbox.protocol import Run
from engine.sandbox.runner import DEPENDENCIES
from tests.jails import jails
from workspace.errors import LoopdeskError

CASES = fix_cases.built_in()


@pytest.fixture(scope="module")
def sandbox() -> Bubblewrap:
    return jails()


def trees(case: FixCase) -> dict[str, fix_cases.Files]:
    wrong = {f"wrong-{place}": edited(case.files, one.edits) for place, one in enumerate(case.wrong)}
    return {"base": case.files, "reference": edited(case.files, case.reference), **wrong}


def written(files: fix_cases.Files, folder: Path) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


async def passing(sandbox: Bubblewrap, case: FixCase, folder: Path) -> dict[str, bool]:
    """Which tests pass, as `own base`, `hidden base` and so on. One jail for all of them."""
    for name, files in trees(case).items():
        written(files, folder / "clone" / name)
    written(case.hidden, folder / "hidden")
    (folder / "deps").mkdir()
    script = [f"cd /jail/clone/base && {shlex.join(case.setup)} || exit 1"] if case.setup else []
    runs = {f"hidden {name}": (name, case.hidden_command) for name in trees(case)}
    runs |= {f"own {name}": (name, case.ci) for name in ("base", "reference")}
    for name, command in runs.values():
        script.append(f"cd /jail/clone/{name} && {shlex.join(command)} </dev/null >&2 && echo 0 || echo 1")
    run = Run(
        ["/bin/sh", "-c", "\n".join(script)],
        clone=folder / "clone",
        read_only={"/jail/hidden": folder / "hidden"},
        written={DEPENDENCIES: folder / "deps"},
        environment={"PYTHONDONTWRITEBYTECODE": "1"},
    )
    jail = await sandbox.start(run)
    said = (await jail.stdout.read()).decode().split()
    errors = (await jail.wait()).errors
    assert len(said) == len(runs), errors
    return dict(zip(runs, (word == "0" for word in said), strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_hidden_tests_tell_a_solution_from_the_bug_and_from_what_looks_like_one(
    case: FixCase, sandbox: Bubblewrap, tmp_path: Path
):
    found = asyncio.run(passing(sandbox, case, tmp_path))
    assert found.pop("own base") == (case.visible == "pass")
    assert found.pop("own reference") == (case.visible != "fail always")
    assert [name for name, passes in found.items() if passes] == ["hidden reference"]


def test_the_set_is_what_was_promised():
    assert len(CASES) >= 8 and any(case.setup for case in CASES) and any(case.language != "Python" for case in CASES)
    assert {case.visible for case in CASES} == set(fix_cases.VISIBLE)
    for case in CASES:
        about = [signal.is_distractor for signal in case.signals]
        assert True in about and about.count(False) >= 2 and len(case.wrong) >= 2, case.name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_solution_comes_with_a_test_and_waits_for_nobody(case: FixCase):
    paths = {edit.file for edit in case.reference}
    assert case.visible == "fail" or any(path.startswith("tests/") for path in paths)
    assert [path for path in paths if matches(path, EXECUTED)] == []


def test_nothing_of_the_answer_is_in_what_the_agent_is_shown():
    for case in CASES:
        shown = "\n".join([case.title, case.summary, *case.evidence, *(one.content for one in case.signals)])
        assert case.bug not in shown and not {"is_distractor", "hidden"} & set(shown.split())
        assert not set(case.hidden) & set(case.files)


class TestReading:
    def table(self) -> dict[str, object]:
        text = resources.files("engine.evals").joinpath("fixes", "retry-loop.toml").read_text(encoding="utf-8")
        return tomllib.loads(text)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"visible": "maybe"}, "visible"),
            ({"title": 3}, "title"),
            ({"more": 1}, "no field more"),
            ({"files": {"../up": ""}}, "path"),
            ({"hidden": {"a": 1}}, "path"),
            ({"signals": "{"}, "Expecting"),
            ({"signals": "[]"}, "object"),
            ({"reference": []}, "edits"),
            ({"reference": [{"file": "README.md", "replace": "not there", "by": ""}]}, "stand there"),
            ({"reference": [{"file": "README.md", "by": ""}]}, "already"),
            ({"wrong": ["x"]}, "table"),
        ],
    )
    def test_what_makes_no_sense_is_said(self, change: dict[str, object], said: str):
        with pytest.raises(ValueError, match=said):
            fix_cases.case("a-case", {**self.table(), **change})

    def test_cases_of_ones_own(self, tmp_path: Path):
        with pytest.raises(LoopdeskError, match="no case"):
            fix_cases.load(tmp_path)
        (tmp_path / "mine.toml").write_text("title = ")
        with pytest.raises(LoopdeskError, match=r"mine\.toml"):
            fix_cases.load(tmp_path)
        with pytest.raises(LoopdeskError, match="retry-loop"):
            fix_cases.named(CASES, ["unknown"])
        assert [case.name for case in fix_cases.named(CASES, ["spool-lines", "cost-ledger"])] == [
            "cost-ledger",
            "spool-lines",
        ]
