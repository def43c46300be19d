"""`loopdesk service`: the texts a service manager gets, and the order of what is asked of it.

There is no systemd session in a container: a script in its place notes every call and answers as told.
"""

from __future__ import annotations

import json
import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_commands import loopdesk, refused
from workspace.errors import LoopdeskError
from workspace.service_units import (
    Service,
    enabled_linger,
    label,
    launchd_plist,
    systemd_unit,
    unit_name,
    workspace_of,
)

UNIT, ENGINE = unit_name("serve"), unit_name("engine")

STRANGE = """a "b" 'c' 50%h $HOME \\x41 d"""


def lines(unit: str) -> list[str]:
    return unit.splitlines()


class TestTheUnit:
    def test_it_names_its_interpreter_and_workspace_absolutely(self):
        unit = systemd_unit(Service(Path("/opt/venv/bin/python"), Path("/srv/loops")))
        assert 'ExecStart="/opt/venv/bin/python" "-P" "-m" "tui.main" "serve" "--workspace" "/srv/loops"' in lines(unit)
        assert {"Restart=on-failure", "UMask=0077", "NoNewPrivileges=yes", "WantedBy=default.target"} <= set(
            lines(unit)
        )

    def test_the_engine_has_a_unit_of_its_own(self):
        unit = systemd_unit(Service(Path("/opt/venv/bin/python"), Path("/srv/loops"), part="engine"))
        assert 'ExecStart="/opt/venv/bin/python" "-P" "-m" "tui.main" "engine" "run" "--workspace" "/srv/loops"' in unit
        assert "Description=loopdesk engine: it turns" in unit
        assert "RestrictNamespaces" not in unit  # its jails are made of them
        found = plistlib.loads(launchd_plist(Service(Path("/p"), Path("/w"), part="engine")))
        assert found["Label"] == label("engine") and found["StandardOutPath"] == "/w/engine.log"

    def test_what_means_something_to_systemd_is_escaped(self):
        unit = systemd_unit(Service(Path(f"/opt/{STRANGE}/python"), Path(f"/{STRANGE}"), {"TZ": "50% $x"}))
        assert '"/opt/a \\"b\\" \'c\' 50%%h $HOME \\\\x41 d/python"' in unit
        assert '"/a \\"b\\" \'c\' 50%%h $$HOME \\\\x41 d"' in unit
        assert 'Environment="TZ=50%% $x"' in lines(unit)

    def test_a_line_break_cannot_add_a_line(self):
        with pytest.raises(LoopdeskError, match="control character"):
            systemd_unit(Service(Path("/python"), Path("/a\nExecStartPre=/bin/evil")))

    def test_it_notes_what_removing_must_know(self):
        unit = systemd_unit(Service(Path("/python"), Path("/my loops"), enabled_linger=True))
        assert workspace_of(unit) == "/my loops"
        assert enabled_linger(unit)
        assert not enabled_linger(systemd_unit(Service(Path("/python"), Path("/w"))))
        assert workspace_of("[Service]\nWorkspace=/elsewhere\n") == ""

    @pytest.mark.parametrize("folder", ["plain", STRANGE.replace("\\", "")])
    def test_systemd_itself_finds_nothing_wrong_with_it(self, tmp_path: Path, folder: str):
        analyze = shutil.which("systemd-analyze")
        if analyze is None:
            pytest.skip("systemd-analyze is not on this machine")
        python = tmp_path / folder / "python"
        python.parent.mkdir()
        python.symlink_to(sys.executable)
        (tmp_path / UNIT).write_text(systemd_unit(Service(python, tmp_path / folder, {"TZ": "UTC"})))
        done = subprocess.run(
            [analyze, "verify", "--user", "--man=no", tmp_path / UNIT], capture_output=True, text=True
        )
        told = [line for line in done.stderr.splitlines() if UNIT in line]
        assert told == []

    def test_the_property_list_of_macos(self):
        found = plistlib.loads(launchd_plist(Service(Path("/opt/p y"), Path("/my <loops>"), {"TZ": "UTC"})))
        assert found["Label"] == label("serve")
        assert found["ProgramArguments"] == ["/opt/p y", "-P", "-m", "tui.main", "serve", "--workspace", "/my <loops>"]
        assert (found["Umask"], found["RunAtLoad"], found["KeepAlive"]) == (0o77, True, {"SuccessfulExit": False})
        assert found["EnvironmentVariables"] == {"TZ": "UTC"}


@pytest.mark.skipif(sys.platform == "darwin", reason="systemd is Linux's")
class TestTheCommand:
    @pytest.fixture
    def systemd(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """`systemctl` and `loginctl` that note their calls; `linger` and `fails` are what they are told."""
        folder = tmp_path / "systemd"
        folder.mkdir()
        (folder / "linger").write_text("no")
        (folder / "fails").write_text("nothing")
        script = f"""#!/bin/sh
echo "$(basename $0) $*" >> {folder}/calls
case "$*" in *"$(cat {folder}/fails)"*) echo "it cannot" >&2; exit 1;; esac
case "$*" in
  show-user*) cat {folder}/linger;;
  enable-linger) echo yes > {folder}/linger;;
  disable-linger) echo no > {folder}/linger;;
  *" show "*) printf 'ActiveState=active\\nUnitFileState=enabled\\nActiveEnterTimestamp=Fri 2026-11-20\\n';;
esac
"""
        for name in ("systemctl", "loginctl"):
            (folder / name).write_text(script)
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        return folder

    def unit(self, name: str = UNIT) -> Path:
        return Path(os.environ["HOME"]) / ".config" / "systemd" / "user" / name

    def calls(self, systemd: Path) -> list[str]:
        asked = (systemd / "calls").read_text().splitlines()
        return [line for line in asked if " show" not in line]

    def test_install_status_remove(self, systemd: Path, tmp_path: Path):
        done = loopdesk("service", "install", "--linger", "--workspace", tmp_path / "my loops")
        assert done.returncode == 0, done.stderr
        assert self.calls(systemd) == [
            "loginctl enable-linger",
            "systemctl --user daemon-reload",
            f"systemctl --user enable {UNIT}",
            f"systemctl --user restart {UNIT}",
            "systemctl --user daemon-reload",
            f"systemctl --user enable {ENGINE}",
            f"systemctl --user restart {ENGINE}",
        ]
        assert workspace_of(self.unit().read_text()) == str(tmp_path / "my loops")
        told = json.loads(loopdesk("service", "status", "--json").stdout)
        assert (told["running"], told["enabled"], told["is_lingering"]) == (True, True, True)
        assert told["engine"]["file"] == str(self.unit(ENGINE)) and told["engine"]["running"]
        assert "since Fri 2026-11-20" in loopdesk("service", "status").stdout
        (systemd / "calls").unlink()
        assert loopdesk("service", "remove").returncode == 0
        assert self.calls(systemd) == [
            f"systemctl --user disable --now {UNIT}",
            "systemctl --user daemon-reload",
            f"systemctl --user disable --now {ENGINE}",
            "systemctl --user daemon-reload",
            "loginctl disable-linger",
        ]
        assert not self.unit().exists() and not self.unit(ENGINE).exists()
        assert (tmp_path / "my loops").exists()
        assert "nothing to remove" in loopdesk("service", "remove").stdout

    def test_lingering_that_was_on_before_stays_on(self, systemd: Path):
        (systemd / "linger").write_text("yes")
        loopdesk("service", "install")
        loopdesk("service", "remove")
        assert not any("linger" in call for call in self.calls(systemd))

    def test_without_a_terminal_nothing_lingers_unasked(self, systemd: Path):
        done = loopdesk("service", "install", stdin=subprocess.DEVNULL)
        assert done.returncode == 0
        assert "loginctl enable-linger" in done.stderr
        assert not any("linger" in call for call in self.calls(systemd))

    def test_installing_again_remembers_that_it_switched_lingering_on(self, systemd: Path):
        loopdesk("service", "install", "--linger")
        loopdesk("service", "install", "--linger")
        assert enabled_linger(self.unit().read_text())

    def test_another_workspaces_service_is_not_taken_over(self, systemd: Path, tmp_path: Path):
        loopdesk("service", "install", "--no-linger", "--workspace", tmp_path / "one")
        before = self.unit().read_text()
        line = refused(loopdesk("service", "install", "--workspace", tmp_path / "two"))
        assert f"for {tmp_path / 'one'}" in line and "service remove" in line
        assert self.unit().read_text() == before

    def test_a_dry_run_writes_and_runs_nothing(self, systemd: Path):
        done = loopdesk("service", "install", "--dry-run")
        assert "[Service]" in done.stdout and "systemctl --user enable" in done.stdout
        assert "disable --now" in loopdesk("service", "remove", "--dry-run").stdout
        assert not (systemd / "calls").exists() and not self.unit().exists()

    def test_without_a_session_it_is_one_sentence(self, systemd: Path):
        (systemd / "fails").write_text("show-environment")
        line = refused(loopdesk("service", "install"))
        assert "systemd does not run for this user here (it cannot)" in line
        assert not self.unit().exists()

    def test_what_fails_is_said_with_its_command(self, systemd: Path):
        (systemd / "fails").write_text("restart")
        assert f"`systemctl --user restart {UNIT}` failed: it cannot" in refused(
            loopdesk("service", "install", "--no-linger")
        )

    def test_removing_where_the_manager_is_away_takes_the_file_away(self, systemd: Path):
        loopdesk("service", "install", "--no-linger")
        (systemd / "fails").write_text("disable")
        assert "may still be running" in refused(loopdesk("service", "remove"))
        assert not self.unit().exists()

    def test_without_a_word_it_says_which_there_are(self):
        assert "install, status or remove. See: loopdesk service --help." in refused(loopdesk("service"))

    def test_without_the_engine_the_service_is_not_whole(self, systemd: Path):
        loopdesk("service", "install", "--no-linger")
        self.unit(ENGINE).unlink()  # installed by a loopdesk that had no engine
        done = loopdesk("service", "status", "--json")
        told = json.loads(done.stdout)
        assert done.returncode == 1 and told["running"] and not told["engine"]["installed"]
        assert loopdesk("service", "install", "--no-linger").returncode == 0
        assert loopdesk("service", "status").returncode == 0

    def test_status_of_nothing(self, systemd: Path):
        done = loopdesk("service", "status")
        assert done.returncode == 1 and "installed  no" in done.stdout

    def test_no_key_of_the_environment_gets_into_the_unit(self, systemd: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("POSTHOG_PERSONAL_API_KEY", "phx_secret")
        monkeypatch.setenv("LOOPDESK_TIMEZONE", "Europe/Berlin")
        loopdesk("service", "install")
        assert "phx_secret" not in self.unit().read_text()
        assert 'Environment="LOOPDESK_TIMEZONE=Europe/Berlin"' in self.unit().read_text()
