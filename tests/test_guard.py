"""The diff guard: what it stops, what it leaves to a human, and what it lets through, on changes as git tells them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.diff import Diff, FileChange, Hunk, Line
from engine.forges.mirror import Mirror
from engine.forges.trees import read_diff
from engine.git import Git
from engine.guard import Verdict, guard, places
from engine.guard_rules import Rules, configured, matches, with_base
from engine.secrets import kinds_of_secret, planted
from tests.repositories import LINK, MODULE, SCRIPT, Repo, bare
from workspace.errors import LoopdeskError

CANARY = "canary-7f3k9q2m-loop"
NONE = planted(())
RULES = Rules()
GITHUB = "ghp_" + "a1B2c3D4" * 5


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    found = bare(tmp_path / "origin.git")
    found.commit("main", {"calc.py": "def add(a, b):\n    return a - b\n", "old.bin": b"\0\1", "ok": (SCRIPT, "x\n")})
    return found


def judged(repo: Repo, files: Mapping, rules: Rules = RULES, canaries=NONE, **texts: str) -> Verdict:
    base = repo.head("main")
    head = repo.commit("work", files, base)
    mirror = Mirror.opened(repo.folder.parent / "mirrors", str(repo.folder), Git.found())
    mirror.fetch("main", "work")
    return guard(read_diff(mirror, base, head), rules, canaries, texts)


def kinds(verdict: Verdict) -> list[tuple[str, str]]:
    return [(found.kind, found.where) for found in verdict.stops]


def waits(verdict: Verdict) -> list[tuple[str, str]]:
    return [(found.kind, found.where) for found in verdict.waits]


def test_an_ordinary_fix_with_its_test_passes(repo: Repo):
    verdict = judged(
        repo,
        {"calc.py": "def add(a, b):\n    return a + b\n", "tests/test_calc.py": "def test(): ...\n", "old.bin": None},
        title="Fix add",
    )
    assert verdict.passed and verdict.waits == ()
    assert verdict.sentence == "The guard passed the change."
    assert verdict.base == repo.head("main") and verdict.head == repo.head("work")


def test_sizes_have_caps(repo: Repo):
    rules = Rules(most_files=2, most_lines=10, most_bytes=100)
    verdict = judged(repo, dict.fromkeys("abc", "x\n" * 20), rules)
    assert [str(found) for found in verdict.stops] == [
        "It changes 3 files, at most 2 are let through",
        "It changes 60 lines, at most 10 are let through",
        "Its files have 120 bytes, at most 100 are let through",
    ]
    assert "and 2 more" in verdict.sentence
    assert kinds(guard(Diff("a" * 40, "b" * 40, ()), rules, NONE, {})) == [("size", "")]
    assert ("size", "") in kinds(guard(Diff("a" * 40, "b" * 40, (), is_whole=False), rules, NONE, {}))


def test_what_git_itself_reads_and_what_the_owner_named_is_protected(repo: Repo):
    rules = configured({"protected": ["secrets/", "*.lock"]})
    verdict = judged(
        repo,
        {
            ".gitattributes": "* -diff\n",
            "sub/.gitmodules": "x\n",
            "Secrets/deep/x": "x\n",
            "a.lock": "x\n",
            "docs": "x\n",
        },
        rules,
    )
    stopped = {where for kind, where in kinds(verdict) if kind == "protected"}
    assert stopped == {".gitattributes", "sub/.gitmodules", "Secrets/deep/x", "a.lock"}


def test_a_file_is_not_moved_out_of_protection(repo: Repo):
    repo.commit("main", {"secrets/a": "".join(f"{n}\n" for n in range(50))})
    verdict = judged(
        repo, {"secrets/a": None, "b": "".join(f"{n}\n" for n in range(50))}, configured({"protected": ["secrets/**"]})
    )
    assert kinds(verdict) == [("protected", "secrets/a")]


def test_the_base_commit_can_add_protection_and_take_none_away():
    rules = configured({"protected": ["a"], "most_files": 3}, ["make", "test"])
    more = with_base(rules, 'protected = ["b"]\nmost_files = 9999\n')
    assert set(rules.protected) < set(more.protected) and "b" in more.protected and more.most_files == 3


@pytest.mark.parametrize(
    "table",
    ["x", {"most_files": 0}, {"most_lines": "many"}, {"protected": "a"}, {"protected": [1]}, {"protect": ["a"]}],
)
def test_rules_that_cannot_be_read_let_nothing_through(table: object):
    with pytest.raises(LoopdeskError, match=r"\[guard\] cannot be read"):
        configured(table)


def test_a_base_file_that_cannot_be_read_is_an_error():
    with pytest.raises(LoopdeskError, match="base commit"):
        with_base(Rules(), "protected = [")


def test_binaries_links_and_submodules_are_stopped(repo: Repo):
    verdict = judged(
        repo,
        {
            "new.bin": b"\0\1\2",
            "old.bin": None,  # taking one away is reviewed by its name
            "text.py": b"print(1)\n\0",  # a zero byte hides the lines from a review
            "link": (LINK, "/etc/passwd"),
            "calc.py": (LINK, "../x"),
            "vendored": (MODULE, "1" * 40),
        },
    )
    assert set(kinds(verdict)) == {
        ("binary", "new.bin"),
        ("binary", "text.py"),
        ("symlink", "link"),
        ("symlink", "calc.py"),
        ("submodule", "vendored"),
    }


def test_what_ci_executes_waits_for_a_human(repo: Repo):
    verdict = judged(
        repo,
        {
            ".github/workflows/ci.yml": "on: push\n",
            "Makefile": "all:\n",
            "web/package.json": "{}\n",
            "tests/conftest.py": "x = 1\n",
            "checks/run": "x\n",
            "calc.py": (SCRIPT, "def add(a, b):\n    return a + b\n"),
            "ok": "x\n",
            "docs/makefile.md": "x\n",
        },
        configured({}, ["sh", "-c", "./checks/run --fast"]),
    )
    assert verdict.passed
    assert set(waits(verdict)) == {
        ("executed", ".github/workflows/ci.yml"),
        ("executed", "Makefile"),
        ("executed", "web/package.json"),
        ("executed", "tests/conftest.py"),
        ("executed", "checks/run"),
        ("mode", "calc.py"),
        ("mode", "ok"),
    }
    assert "your push is needed" in verdict.sentence


def test_odd_names_are_stopped_and_said_plainly(repo: Repo):
    names = ["a\u202egnp.py", "con.txt", "x\\y", "-rf", "trail ", "new\nline", "\x1b[2Jx"]
    verdict = judged(repo, dict.fromkeys(names, "x\n") | {"ä/普通.py": "x\n"})
    assert sorted(where for kind, where in kinds(verdict) if kind == "name") == sorted(names)
    assert all("\x1b" not in str(found) and "\n" not in str(found) for found in verdict.stops)


def test_a_line_that_reads_otherwise_than_it_runs_is_stopped(repo: Repo):
    verdict = judged(repo, {"calc.py": 'x = 1\nif user != "admin\u202e \u2066# check\u2069 \u2066":\n    pass\n'})
    assert [(found.kind, found.line) for found in verdict.stops] == [("hidden", 2)]


SECRETS = {
    "a GitHub token": f"token = {GITHUB}",
    "an AWS key": "AKIA" + "IOSFODNN7EXAMPLX",
    "an Anthropic key": "sk-ant-" + "api03-" + "x1" * 20,
    "a PostHog key": "phx_" + "Ab3" * 14,
    "a private key": "-----BEGIN OPENSSH " + "PRIVATE KEY-----",
    "an address with a password": "postgres://loop:" + "hunter2hunter2@db.internal/x",
    "a signed web token": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0In0.abcdefghijkl",
    "a secret in a setting": 'API_KEY = "' + 'q8Zr1vTn5Lw0Kx3B"',
}


@pytest.mark.parametrize("what", SECRETS)
def test_a_secret_is_found_by_its_form_and_never_quoted(what: str, repo: Repo):
    verdict = judged(repo, {"calc.py": f"x = 1\n# {SECRETS[what]}\n"}, body=SECRETS[what])
    found = [one for one in verdict.stops if what in one.reason]
    assert {(one.where, one.line) for one in found} == {("calc.py", 2), ("body", None)}
    assert not any(SECRETS[what] in str(one) for one in verdict.stops) and SECRETS[what] not in verdict.sentence


def test_a_secret_that_is_taken_out_is_no_secret_that_goes_in(repo: Repo):
    repo.commit("main", {"calc.py": f"a = '{GITHUB}'\nb = 1\n"})
    assert judged(repo, {"calc.py": "a = os.environ['TOKEN']\nb = 1\n"}).passed


@pytest.mark.parametrize(
    "line",
    [
        'token = os.environ["GITHUB_TOKEN"]',
        'password = "changeme-please"',
        "secret: ${{ secrets.DEPLOY_TOKEN_2024 }}",
        "url = 'https://example.com/a?b=c@d'",
        "sha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'",
        "def tokens(self): return self.prompt_tokens + 12",
        "api_key: str = ''",
        "postgres://user:{password}@host/db",
    ],
)
def test_everyday_lines_are_no_secrets(line: str):
    assert list(kinds_of_secret(line)) == []


def written(value: str) -> dict[str, str]:
    raw = value.encode()
    return {
        "as it is": value,
        "in capitals": value.upper(),
        "in pieces": '"' + '" + "'.join(value[n : n + 3] for n in range(0, len(value), 3)) + '"',
        "over lines": "\n".join(value),
        "backwards": value[::-1],
        "base64": base64.b64encode(b"k=" + raw + b";").decode(),
        "base64 inside": base64.urlsafe_b64encode(b"some other words " + raw + b" and more").decode(),
        "base32": base64.b32encode(raw).decode(),
        "hex": raw.hex(),
        "hex with colons": raw.hex(":"),
        "percent": "".join(f"%{byte:02x}" for byte in raw),
    }


def adding(*lines: str) -> Diff:
    found = tuple(Line("+", line, None, number) for number, line in enumerate(lines, 1))
    hunk = Hunk(0, 0, 1, len(found), "", found)
    file = FileChange(
        "calc.py", "calc.py", "modified", 0o100644, 0o100644, "a" * 40, "b" * 40, len(found), hunks=(hunk,)
    )
    return Diff("a" * 40, "b" * 40, (file,))


@pytest.mark.parametrize("how", written(CANARY))
def test_a_planted_canary_is_found_however_it_is_written(how: str):
    text = written(CANARY)[how]
    in_file = guard(adding("x = 1", *text.split("\n")), Rules(), planted([CANARY]), {})
    assert ("canary", "calc.py") in kinds(in_file)
    for name in ("title", "body", "branch", "commit message", "comment"):
        assert kinds(guard(adding("x"), Rules(), planted([CANARY]), {name: text})) == [("canary", name)]


def test_a_canary_as_a_file_name_is_found_and_not_repeated(repo: Repo):
    verdict = judged(repo, {f"docs/{CANARY}.md": "x\n"}, canaries=planted([CANARY]))
    assert kinds(verdict) == [("canary", "A file")]
    assert CANARY not in verdict.sentence and CANARY not in repr(planted([CANARY]))


def test_a_canary_that_is_found_everywhere_is_refused():
    with pytest.raises(ValueError):
        planted(["a-b-c"])


def test_findings_are_sorted_by_path_for_a_margin(repo: Repo):
    verdict = judged(repo, {"link": (LINK, "x"), "blob": b"\0"})
    assert {name: len(found) for name, found in places(verdict.stops).items()} == {"link": 1, "blob": 1}


@settings(max_examples=40)
@given(st.text(min_size=1, max_size=30), st.text(max_size=5))
def test_a_path_fits_itself_and_its_folder(path: str, other: str):
    literal = path.replace("*", "x").replace("?", "x").strip("/") or "x"
    assert matches(literal, [literal]) == literal
    assert matches(f"{literal}/{other or 'x'}", [f"{literal}/"])
    assert matches(f"a/b/{literal}", [f"**/{literal}"]) and matches(literal, [f"**/{literal}"])
