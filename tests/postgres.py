"""A real Postgres for tests: a cluster of its own in a new folder, by an unprivileged user, on a unix socket alone."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg

from engine.workers.postgres import prepare
from tests.required import required

# A crash of the machine is not what is tested here.
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "shared_buffers=8MB")
_TEMPLATE = "prepared"


class Cluster:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)

    def url(self, name: str) -> str:
        return f"postgresql://loopdesk@/{name}?host={self._folder}"

    def database(self, *, is_prepared: bool = True) -> str:
        """The address of a new one, with our tables unless said otherwise."""
        name = f"test{next(self._numbers)}"
        template = f" TEMPLATE {_TEMPLATE}" if is_prepared else ""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}{template}".encode())
        return self.url(name)

    def prepare(self) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {_TEMPLATE}".encode())
        prepare(self.url(_TEMPLATE))

    def allow(self, url: str, is_allowed: bool) -> None:
        """Whether a database takes connections; where not, those that there are end."""
        name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {is_allowed}".encode())
            if not is_allowed:
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))


@contextmanager
def cluster() -> Iterator[Cluster]:
    # Debian keeps them out of the PATH, by version.
    ours = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    initdb, postgres = required("postgres", "initdb", "postgres", also=ours)
    # The path of a socket may have only 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    # Postgres does not run as root.
    user = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(folder, "nobody", pwd.getpwnam("nobody").pw_gid)
    data = folder / "data"
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": folder}
    options = ["--username=loopdesk", "--auth=trust", "--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C"]
    made = subprocess.run([initdb, f"--pgdata={data}", *options], **quiet, **user)  # type: ignore[call-overload]
    assert made.returncode == 0, made.stdout
    settings = [word for one in _FAST for word in ("-c", one)]
    command = [postgres, "-D", str(data), "-k", str(folder), "-c", "listen_addresses=", *settings]
    running = subprocess.Popen(command, **quiet, **user)  # type: ignore[call-overload]
    try:
        assert running.stdout is not None
        said = ""
        for line in running.stdout:
            said += line
            if "ready to accept connections" in line:
                break
        else:
            raise AssertionError(said)
        made_here = Cluster(folder)
        made_here.prepare()
        yield made_here
    finally:
        running.send_signal(3)  # SIGQUIT: at once, without a checkpoint
        running.communicate()
        shutil.rmtree(folder, ignore_errors=True)
