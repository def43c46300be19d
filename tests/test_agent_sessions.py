"""What a run leaves to go on from, by the real agent CLI, and by a hostile one."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from engine.agents.keeping import Kept, keep, restore
from engine.agents.protocol import Snapshot
from engine.git import Git
from engine.sandbox.bubblewrap import Bubblewrap
from engine.sandbox.bundles import Untrusted, fill_clone, take
from engine.sandbox.protocol import CLONE
from tests.agent_api import agent_api, answers, calls
from tests.agent_bench import GOOD, SYSTEM, Bench
from tests.jails import jails
from tests.messages_api import HANGS, Request
from tests.repositories import Repo


@pytest.fixture(scope="module")
def sandbox() -> Bubblewrap:
    return jails()


@pytest.fixture
def bench(sandbox: Bubblewrap, tmp_path: Path) -> Bench:
    return Bench(sandbox, tmp_path)


@pytest.fixture
def mirror(tmp_path: Path) -> Repo:
    Git().make_bare(tmp_path / "mirror.git")
    mirror = Repo(tmp_path / "mirror.git")
    mirror.commit("main", {"code.py": "x = 1\n", "README": "read\n"})
    return mirror


@pytest.fixture
async def clone(sandbox: Bubblewrap, mirror: Repo, tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    folder.mkdir()
    await fill_clone(sandbox, mirror.folder, mirror.head("main"), folder)
    return folder


def state(clone: Path) -> dict[str, bytes]:
    """All of it, the index and refs too."""
    return {str(path): path.read_bytes() for path in clone.rglob("*") if path.is_file()}


async def test_a_run_that_is_killed_goes_on_from_its_last_snapshot(bench: Bench, mirror: Repo, clone: Path):
    bench.snapshot_every, base = 1, mirror.head("main")
    due: list[Any] = [HANGS]

    def second(_: Request) -> Any:
        return due[0]

    written = calls("Write", file_path=f"{CLONE}/new.py", content="y = 2\n")
    kept: list[Snapshot] = []
    is_kept = asyncio.Event()

    async def snapshot(one: Snapshot) -> None:
        kept.append(one)
        is_kept.set()

    with agent_api({SYSTEM: [written, calls("Bash", command="git log"), second]}) as api:
        running = asyncio.create_task(bench.asks(api, snapshot, clone=clone, may_write=True, base=base))
        await asyncio.wait_for(is_kept.wait(), 60)
        while len(api.requests) < 3:
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert not list(bench.runs.iterdir())
        due[0] = answers(GOOD)
        api.released.set()
        first = kept[0]
        more = {"clone": clone, "may_write": True, "base": base, "session": first.session}
        answer = await bench.asks(api, prompt="Go on.", **more)
    assert answer.content == GOOD and first.turns == 1
    # It knows what it was asked and did before.
    said = str(api.requests[-1].body["messages"])
    assert "Judge it." in said and "new.py" in said and "Go on." in said
    bundle = bench.folder / "taken.bundle"
    bundle.write_bytes(bench.blobs.get(first.bundle))
    taken = take(mirror.folder, bundle, base, "work")
    assert mirror.git("show", f"{taken.sha}:new.py") == "y = 2"


async def kept(bench: Bench, clone: Path, base: str) -> Kept:
    session = bench.folder / "session"
    (session / "projects/one").mkdir(parents=True, exist_ok=True)
    (session / "projects/one/said.jsonl").write_text("{}\n")
    return await keep(bench.sandbox, bench.blobs, session, clone, base, bench.folder / "kept")


async def test_the_work_so_far_is_kept_without_touching_it(bench: Bench, mirror: Repo, clone: Path):
    base, own = mirror.head("main"), Repo(clone)
    own.commit("work", {"code.py": "x = 2\n"})
    own.git("reset", "--quiet", "--hard")
    (clone / "staged").write_text("s")
    own.git("add", "staged")
    (clone / "new.py").write_text("y")
    # A clone's own settings run programs: of a bundle so far, none of them.
    ran = f"sh -c 'touch {CLONE}/ran /tmp/ran; cat'"
    for name in ("core.fsmonitor", "filter.f.clean", "core.hooksPath"):
        own.git("config", name, ran)
    (clone / ".gitattributes").write_text("* filter=f\n")
    before = state(clone)
    found = await kept(bench, clone, base)
    assert found.why == "" and state(clone) == before
    bundle = bench.folder / "taken.bundle"
    bundle.write_bytes(bench.blobs.get(found.bundle))
    taken = take(mirror.folder, bundle, base, "work")
    assert mirror.git("ls-tree", "--name-only", taken.sha).split() == [
        ".gitattributes",
        "README",
        "code.py",
        "new.py",
        "staged",
    ]
    assert taken.commits == 2


async def test_nothing_changed_is_no_bundle(bench: Bench, mirror: Repo, clone: Path):
    found = await kept(bench, clone, mirror.head("main"))
    assert found.bundle == "" and found.session and found.why == ""


async def test_a_clone_that_is_none_any_more_still_has_a_session(bench: Bench, mirror: Repo, clone: Path):
    (clone / ".git").rename(clone / "git")
    (clone / ".git").symlink_to("/etc/passwd")
    found = await kept(bench, clone, mirror.head("main"))
    assert found.bundle == "" and found.session and found.why


async def test_only_plain_files_of_a_session_are_kept(bench: Bench, mirror: Repo, clone: Path):
    projects = bench.folder / "session/projects/one"
    projects.mkdir(parents=True)
    (projects / "link").symlink_to("/etc/passwd")
    os.mkfifo(projects / "pipe")
    found = await kept(bench, clone, "")
    with tarfile.open(fileobj=io.BytesIO(bench.blobs.get(found.session))) as tar:
        assert tar.getnames() == ["projects/one/said.jsonl"]


def tar(name: str = "projects/a", **facts: Any) -> bytes:
    member = tarfile.TarInfo(name)
    for fact, value in facts.items():
        setattr(member, fact, value)
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as made:
        made.addfile(member)
    return gzip.compress(written.getvalue())


@pytest.mark.parametrize(
    "packed",
    [
        tar(type=tarfile.SYMTYPE, linkname="/etc"),
        tar(type=tarfile.LNKTYPE, linkname="/etc/passwd"),
        tar(type=tarfile.FIFOTYPE),
        tar("../../outside"),
        gzip.compress(tarfile.TarInfo("projects/a").tobuf()[:124] + b"77777777777\0" + bytes(376)),
        b"no tar at all",
    ],
    ids=["link", "hard link", "pipe", "upwards", "forged size", "nothing"],
)
async def test_a_forged_session_is_not_gone_on_with(bench: Bench, packed: bytes):
    into = bench.folder / "session"
    into.mkdir()
    with pytest.raises(Untrusted):
        await restore(bench.sandbox, bench.blobs, bench.blobs.put(packed), into, bench.folder)
    assert not [one for one in into.rglob("*") if one.is_symlink() or one.is_fifo()]
    assert not (bench.folder.parent / "outside").exists()


async def test_a_session_that_unfolds_beyond_measure_is_refused(bench: Bench):
    written, into = io.BytesIO(), bench.folder / "session"
    into.mkdir()
    member = tarfile.TarInfo("projects/zeros")
    member.size = 200 << 20
    with gzip.GzipFile(fileobj=written, mode="wb", compresslevel=1) as packed:
        packed.write(member.tobuf())
    with pytest.raises(Untrusted):
        await restore(bench.sandbox, bench.blobs, bench.blobs.put(written.getvalue()), into, bench.folder)
