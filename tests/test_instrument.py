"""`loopdesk instrument`: the drop-in file in loops' repositories, without a byte of anybody's work lost."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from observability import posthog_client
from tui.commands.cli import run as run_command
from tui.commands.instrument import command
from tui.commands.instrument_folder import copy_in, write
from workspace.errors import LoopdeskError

OURS = Path(posthog_client.__file__).read_bytes()
OLDER = OURS.replace(b"SHUTDOWN_S = 4.0", b"SHUTDOWN_S = 3.0").replace(b"\r\n", b"\n")
SECRET = "phx_" + "s3cret" * 6
EXTRA, POETRY = "[project.optional-dependencies]\n", "[tool.poetry."


@pytest.fixture
def loop(tmp_path: Path) -> Path:
    folder = tmp_path / "autoagent"
    folder.mkdir()
    return folder


def run(*arguments: object, **more: object) -> Result:
    done = CliRunner().invoke(command, [str(argument) for argument in arguments], standalone_mode=False, **more)
    assert done.exception is None, done.exception
    return done


def outcomes(*arguments: object) -> list[dict]:
    return json.loads(run(*arguments, "--json").stdout)


def commit(folder: Path) -> None:
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "all"]):
        subprocess.run([*git, *arguments], check=True)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts}


# Where it goes


def test_a_new_file_lies_beside_a_script(loop: Path):
    done = run(loop)
    assert done.return_value == 0
    assert (loop / "posthog_client.py").read_bytes() == OURS
    assert list(loop.iterdir()) == [loop / "posthog_client.py"]
    assert stat.S_IMODE((loop / "posthog_client.py").stat().st_mode) & 0o111 == 0


@pytest.mark.parametrize("base", [".", "src"])
def test_a_new_file_goes_into_the_only_package(loop: Path, base: str):
    for name in ("autoagent", "tests", ".venv"):
        (loop / base / name).mkdir(parents=True)
        (loop / base / name / "__init__.py").touch()
    assert run(loop).return_value == 0
    assert (loop / base / "autoagent" / "posthog_client.py").read_bytes() == OURS


def test_between_two_packages_nothing_is_guessed(loop: Path):
    for name in ("one", "two"):
        (loop / name).mkdir()
        (loop / name / "__init__.py").touch()
    run(loop)
    assert (loop / "posthog_client.py").exists()


def test_a_copy_that_is_there_is_the_one_that_is_brought_up(loop: Path):
    place = loop / "lib" / "deep" / "posthog_client.py"
    place.parent.mkdir(parents=True)
    place.write_bytes(OLDER)
    for passed_over in (".venv", "node_modules"):
        (loop / passed_over).mkdir()
        (loop / passed_over / "posthog_client.py").write_bytes(OLDER)
    before = snapshot(loop)
    assert run(loop, "--yes").return_value == 0
    changed = {path for path, content in snapshot(loop).items() if before.get(path) != content}
    assert changed == {str(place)}
    assert place.read_bytes() == OURS


def test_between_two_copies_the_owner_says_which(loop: Path):
    for name in ("a", "b"):
        (loop / name).mkdir()
        (loop / name / "posthog_client.py").write_bytes(OLDER)
    before = snapshot(loop)
    (refused,) = outcomes(loop, "--yes")
    assert refused["outcome"] == "refused" and "a/posthog_client.py, b/posthog_client.py" in refused["said"]
    assert snapshot(loop) == before
    assert run(loop, "--yes", "--to", "b").return_value == 0
    assert (loop / "a" / "posthog_client.py").read_bytes() == OLDER
    assert (loop / "b" / "posthog_client.py").read_bytes() == OURS


@pytest.mark.parametrize("to", ["../elsewhere.py", "/etc/posthog_client.py", "nowhere/telemetry.py", "notes.toml"])
def test_it_is_not_led_out_of_the_repository_and_makes_no_folder(loop: Path, to: str):
    assert outcomes(loop, "--to", to)[0]["outcome"] == "refused"
    assert not list(loop.iterdir()) and not (loop.parent / "elsewhere.py").exists()


def test_the_file_may_have_another_name(loop: Path):
    assert run(loop, "--to", "telemetry.py").return_value == 0
    assert (loop / "telemetry.py").read_bytes() == OURS
    assert run(loop, "--to", "telemetry.py", "--check").return_value == 0


# What is never lost


def test_the_diff_is_shown_and_without_a_yes_nothing_is_written(loop: Path):
    place = loop / "posthog_client.py"
    place.write_bytes(OLDER.replace(b"GATHER_S", b"GATHER_\x1b[31mS", 1))
    before = place.read_bytes()
    done = run(loop)
    assert done.return_value == 1 and place.read_bytes() == before
    assert "-SHUTDOWN_S = 3.0" in done.stdout and "+SHUTDOWN_S = 4.0" in done.stdout and "\x1b" not in done.stdout


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_a_person_is_asked(loop: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int):
    place = loop / "posthog_client.py"
    place.write_bytes(OLDER)
    place.chmod(0o640)
    monkeypatch.setattr("tui.commands.instrument._is_somebody_there", lambda: True)
    before = os.umask(0o077)  # as `loopdesk` has it
    try:
        assert run(loop, input=f"{answer}\n").return_value == code
    finally:
        os.umask(before)
    assert place.read_bytes() == (OURS if answer == "y" else OLDER)
    assert stat.S_IMODE(place.stat().st_mode) == 0o640


@pytest.mark.parametrize("options", [("--yes",), ()])
def test_what_is_in_no_commit_is_not_overwritten(loop: Path, options: tuple[str, ...]):
    place = loop / "posthog_client.py"
    place.write_bytes(OLDER)
    commit(loop)
    place.write_bytes(OLDER + b"# mine\n")
    (refused,) = outcomes(loop, *options)
    assert refused["outcome"] == "refused" and "commit" in refused["said"]
    assert place.read_bytes() == OLDER + b"# mine\n"
    place.write_bytes(OLDER)
    assert outcomes(loop, "--yes")[0]["outcome"] == "written"


def test_a_copy_that_was_never_committed_is_not_overwritten(loop: Path):
    (loop / "readme").touch()
    commit(loop)
    (loop / "posthog_client.py").write_bytes(OLDER)
    assert outcomes(loop, "--yes")[0]["outcome"] == "refused"


def test_another_file_of_the_name_is_left_alone(loop: Path):
    place = loop / "posthog_client.py"
    place.write_text("import posthog\n")
    assert outcomes(loop, "--yes")[0]["outcome"] == "refused"
    assert outcomes(loop, "--yes", "--to", "posthog_client.py")[0]["outcome"] == "refused"
    assert place.read_text() == "import posthog\n"


def test_nothing_is_written_through_a_link(loop: Path, tmp_path: Path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "posthog_client.py").write_bytes(OLDER)
    (loop / "posthog_client.py").symlink_to(theirs / "posthog_client.py")
    (loop / "lib").symlink_to(theirs)
    (loop / "dangling.py").symlink_to(tmp_path / "made.py")
    for to in ("", "posthog_client.py", "lib/posthog_client.py", "lib", "dangling.py"):
        assert outcomes(loop, "--yes", *(("--to", to) if to else ()))[0]["outcome"] == "refused", to
    assert (theirs / "posthog_client.py").read_bytes() == OLDER
    assert not (tmp_path / "made.py").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
def test_a_pipe_of_the_name_is_not_waited_for(loop: Path):
    os.mkfifo(loop / "posthog_client.py")
    (refused,) = outcomes(loop)
    assert refused["outcome"] == "refused" and "is no file" in refused["said"]


def test_a_repository_behind_a_link_is_the_one_that_was_named(loop: Path, tmp_path: Path):
    (tmp_path / "link").symlink_to(loop)
    assert run(tmp_path / "link").return_value == 0
    assert (loop / "posthog_client.py").read_bytes() == OURS


def test_a_full_disk_leaves_the_old_file(loop: Path, monkeypatch: pytest.MonkeyPatch):
    place = loop / "posthog_client.py"
    place.write_bytes(OLDER)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    (refused,) = outcomes(loop, "--yes")
    assert refused["outcome"] == "refused" and "No space left" in refused["said"]
    assert list(loop.iterdir()) == [place] and place.read_bytes() == OLDER


def test_what_changes_while_somebody_reads_the_diff_is_not_overwritten(loop: Path):
    place = loop / "posthog_client.py"
    place.write_bytes(OLDER)
    seen = copy_in(loop)
    place.write_bytes(OLDER + b"# mine\n")
    with pytest.raises(LoopdeskError):
        write(seen)
    assert place.read_bytes() == OLDER + b"# mine\n"


# In a loop's CI


def test_a_check_writes_nothing_and_fails_on_absence_and_drift(loop: Path):
    done = run(loop, "--check")
    assert (done.return_value, done.stderr.count("\n"), list(loop.iterdir())) == (1, 1, [])
    place = loop / "posthog_client.py"
    place.write_bytes(OLDER)
    done = run(loop, "--check", "--yes")
    assert (done.return_value, done.stderr.count("\n"), place.read_bytes()) == (1, 1, OLDER)
    place.write_bytes(OURS.replace(b"\n", b"\r\n"))  # as git writes it on Windows
    assert run(loop, "--check").return_value == 0
    place.write_bytes(OURS + b"\n")
    assert run(loop, "--check").return_value == 1


def test_the_exit_code_reaches_the_shell(loop: Path, capsys: pytest.CaptureFixture[str]):
    assert run_command(["instrument", "--check", str(loop)]) == 1
    assert run_command(["instrument", str(loop)]) == 0
    assert run_command(["instrument", str(loop), "--check"]) == 0


def test_several_folders_are_a_line_each_and_one_that_fails_does_not_hold_up_the_rest(loop: Path, tmp_path: Path):
    other = tmp_path / "gtm"
    other.mkdir()
    done = run(tmp_path / "missing", loop, other)
    assert done.return_value == 1
    assert (loop / "posthog_client.py").exists() and (other / "posthog_client.py").exists()
    assert done.stderr.count("\n") == 1 and "missing" in done.stderr
    assert [one["outcome"] for one in outcomes(loop, tmp_path / "missing", other)] == ["current", "refused", "current"]


# What else is missing


def test_names_that_are_missing_are_said_and_never_a_value(loop: Path):
    (loop / ".env").write_text(f"export POSTHOG_API_KEY='{SECRET}'\nAUTORESEARCH_PROJECT= # later\nOTHER=1\n")
    (loop / ".env.example").write_text("POSTHOG_API_KEY=\nPOSTHOG_HOST=\n# AUTORESEARCH_PROJECT=\n")
    (found,) = outcomes(loop)
    assert found["env_missing"] == ["POSTHOG_HOST", "AUTORESEARCH_PROJECT"]
    assert found["env_example_missing"] == ["AUTORESEARCH_PROJECT"]
    assert found["has_personal_key"] is True
    done = run(loop)
    assert "AUTORESEARCH_PROJECT" in done.stdout and "personal key" in done.stdout
    assert SECRET not in done.output + json.dumps(found)


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        ({}, None),
        ({"requirements.txt": "# posthog\nPostHog[x]>=7 ; python_version > '3'\npython_ulid==3\n"}, []),
        ({"requirements-dev.txt": "-r requirements.txt\nposthog-mock\n"}, ["posthog", "python-ulid"]),
        ({"pyproject.toml": '[project]\ndependencies = ["posthog>=7", "x"]\n'}, ["python-ulid"]),
        ({"pyproject.toml": f"{EXTRA}a = ['posthog']\n[dependency-groups]\nb = ['python-ulid']"}, []),
        ({"pyproject.toml": f"{POETRY}dependencies]\nposthog = '^7'"}, ["python-ulid"]),
        ({"pyproject.toml": f"{POETRY}group.a.dependencies]\nPython_ULID = '*'"}, ["posthog"]),
        ({"pyproject.toml": 'project = "posthog"\ntool = 3\n', "requirements.txt": "python-ulid"}, ["posthog"]),
    ],
)  # fmt: skip
def test_requirements_are_read_where_they_may_stand(loop: Path, files: dict[str, str], missing: list[str] | None):
    for name, text in files.items():
        (loop / name).write_text(text)
    assert outcomes(loop)[0]["packages_missing"] == missing


def test_what_cannot_be_read_is_said_before_anything_is_written(loop: Path):
    (loop / "pyproject.toml").write_text("[project\n")
    assert outcomes(loop)[0]["outcome"] == "refused"
    assert not (loop / "posthog_client.py").exists()


def test_the_copy_runs_where_it_was_put(loop: Path, tmp_path: Path):
    run(loop)
    code = "import posthog_client as ph; print(ph.variant('scorer_v2', 'none'))"
    environment = {"LOOPDESK_SPOOL": str(tmp_path / "spool"), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", code], cwd=loop, env=environment, capture_output=True, text=True)
    assert done.stdout == "none\n", done.stderr
