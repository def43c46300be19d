"""What the doctor says of the loops' repositories."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fixes import FILES
from tests.github_double import TOKEN, Fault, GitHubDouble
from tests.repositories import bare
from tui.commands.checks.code import check
from tui.commands.checks.line import Line
from workspace.config import Config


def looked(folder: Path, table: object, **more: object) -> list[Line]:
    config = replace(Config(), workspace_dir=str(folder / "w"), repositories={"code": table}, **more)  # type: ignore[arg-type]
    config.workspace.create()
    return check(config)


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHubDouble]:
    double = GitHubDouble(tmp_path / "github")
    double.repo.commit("main", FILES)
    with double.running():
        yield double


def test_without_any_it_says_how_to_name_one(tmp_path: Path):
    (line,) = check(replace(Config(), workspace_dir=str(tmp_path)))
    assert line.state == "note" and "[repositories.NAME]" in line.do


def test_a_local_one(tmp_path: Path):
    repo = bare(tmp_path / "code.git")
    repo.commit("main", FILES)
    table = {"path": str(repo.folder), "projects": ["autoagent"], "ci": ["make"]}
    assert [(line.state, "onto main" in line.said) for line in looked(tmp_path, table)] == [("ok", True)]
    bare_bones = looked(tmp_path, {"path": str(repo.folder)})
    assert [line.state for line in bare_bones] == ["ok", "note", "note"]


def test_one_that_is_not_there_or_makes_no_sense(tmp_path: Path):
    (line,) = looked(tmp_path, {"path": str(tmp_path / "none")})
    assert line.state == "wrong" and "not a git repository" in line.said
    (line,) = looked(tmp_path, {"path": "/srv/x", "colour": "red"})
    assert line.state == "wrong" and "colour" in line.said
    (line,) = looked(tmp_path, {"path": "/srv/x"}, guard={"most_files": -1})
    assert line.state == "wrong" and "[guard]" in line.said


def test_on_github(tmp_path: Path, github: GitHubDouble):
    table = {"url": f"{github.url}/acme/shop.git", "projects": ["autoagent"], "ci": ["make"]}
    assert [line.state for line in looked(tmp_path, table, github_token=TOKEN)] == ["ok"]
    (line,) = looked(tmp_path, table, github_token="wrong-token")
    assert line.state == "wrong" and "wrong-token" not in line.said
    github.faults.append(Fault("GET", r"/repos/acme/shop$", status=404, message="Not Found"))
    (line,) = looked(tmp_path, table, github_token=TOKEN)
    assert line.state == "wrong" and line.do
