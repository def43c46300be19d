"""A GitHub of our own: one set of bare repositories behind git's own HTTP program and behind the part of GitHub's REST
that the forge uses. It keeps what came over the wire, what that changed, and misbehaves on request.

It shares nothing with the engine: what a test reads here is what really happened.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.repositories import Repo, bare

TOKEN = "ghp_looks-like-a-token-000000000000000"
BOT, OWNER, STRANGER = "loopdesk-bot", "ada", "mallory"
AT = "2026-11-20T07:{:02}:{:02}Z"


@dataclass(frozen=True, slots=True)
class Fault:
    """For the next request that fits. Without `status` the request is done as ever, and then `lost` closes the
    connection without a word, `cut` sends half of the answer, `hangs` waits until the double ends."""

    verb: str
    path: str
    status: int = 0
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    lost: bool = False
    cut: bool = False
    hangs: bool = False
    before: Callable[[], object] | None = None


@dataclass
class Pull:
    number: int
    title: str
    body: str
    head: str
    base: str
    head_sha: str
    author: str
    fork: str = ""
    state: str = "open"
    merge_sha: str = ""
    is_draft: bool = False


class No(Exception):
    def __init__(self, status: int, message: str, *errors: str) -> None:
        self.status, self.message, self.errors = status, message, errors
        super().__init__(message)


@dataclass
class GitHubDouble:
    """`received` are (verb, path, status) in order; `effects` what they changed: (kind, subject)."""

    root: Path
    name: str = "acme/shop"
    tokens: dict[str, str] = field(default_factory=lambda: {TOKEN: BOT, "owner-token": OWNER, "stranger": STRANGER})
    received: list[tuple[str, str, int]] = field(default_factory=list)
    effects: list[tuple[str, str]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    pulls: dict[int, Pull] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    annotations: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    is_app: bool = False
    """Whether the token is an installation's, which has no user."""

    def __post_init__(self) -> None:
        folder = self.root / f"{self.name}.git"
        folder.parent.mkdir(parents=True)
        self.repo: Repo = bare(folder)
        self.lock = threading.RLock()
        self.ended = threading.Event()
        self._ids = iter(range(1, 10_000))
        double = self

        class Handler(_Handler):
            github = double

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator[GitHubDouble]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.ended.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join(10)

    # What other people do

    def say(self, number: int, author: str, body: str, kind: str = "issues", **more: object) -> None:
        with self.lock:
            self.comments.append(self._comment(number, author, body, kind, **more))

    def check(self, sha: str, name: str, conclusion: str | None, **output: object) -> int:
        """A check run; with conclusion None it is still running."""
        with self.lock:
            run = {"id": next(self._ids), "name": name, "sha": sha, "conclusion": conclusion, "output": output}
            self.runs = [one for one in self.runs if (one["sha"], one["name"]) != (sha, name)] + [run]
            return int(run["id"])

    def run_ci(self, sha: str, *command: str) -> None:
        """The repository's CI on the files of `sha`."""
        folder = Path(tempfile.mkdtemp(dir=self.root))
        archive = subprocess.run(["git", "archive", sha], cwd=self.repo.folder, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        shutil.rmtree(folder)
        result = "success" if done.returncode == 0 else "failure"
        self.check(sha, "ci/test", result, title="Tests", summary=(done.stdout + done.stderr)[-500:])

    def count(self, verb: str, pattern: str) -> int:
        """Requests that came over the wire."""
        return sum(1 for one in self.received if one[0] == verb and re.search(pattern, one[1]))

    # REST

    def rest(self, verb: str, path: str, query: Mapping[str, str], body: Any, me: str) -> tuple[int, Any]:
        for known, pattern, answer in _ROUTES:
            match = re.fullmatch(pattern.replace("{repo}", re.escape(f"/repos/{self.name}")), path)
            if known == verb and match:
                with self.lock:
                    return answer(self, match, query, body, me)
        raise No(404, "Not Found")

    def user(self, match: re.Match[str], query: Mapping[str, str], body: Any, me: str) -> tuple[int, Any]:
        if self.is_app:
            raise No(403, "Resource not accessible by integration")
        return 200, {"login": me, "type": "User"}

    def repository(self, match: re.Match[str], query: Mapping[str, str], body: Any, me: str) -> tuple[int, Any]:
        evil = "https://evil.example/x.git"
        return 200, {"full_name": self.name, "default_branch": "main", "clone_url": evil, "permissions": {"push": True}}

    def list_pulls(self, match: re.Match[str], query: Mapping[str, str], body: Any, me: str) -> tuple[int, Any]:
        owner, _, branch = query.get("head", "").partition(":")
        found = [
            self._pull(pull, is_listed=True)
            for pull in sorted(self.pulls.values(), key=lambda pull: -pull.number)
            if not branch or (pull.head == branch and (pull.fork or self.name).startswith(f"{owner}/"))
            if query.get("state", "open") in ("all", pull.state)
        ]  # fmt: skip
        return 200, found

    def create_pull(self, match: re.Match[str], query: Mapping[str, str], body: Any, me: str) -> tuple[int, Any]:
        heads = self._heads()
        if body["head"] not in heads:
            raise No(422, "Validation Failed", "head invalid")
        if any(one.head == body["head"] and one.state == "open" and not one.fork for one in self.pulls.values()):
            raise No(422, "Validation Failed", f"A pull request already exists for acme:{body['head']}.")
        number = len(self.pulls) + 1
        pull = Pull(number, body["title"], body["body"], body["head"], body["base"], heads[body["head"]], me)
        self.pulls[number] = pull
        self.effects.append(("pull", body["head"]))
        return 201, self._pull(pull)

    def get_pull(self, match: re.Match[str], query: Mapping[str, str], body: Any, me: str) -> tuple[int, Any]:
        return 200, self._pull(self._of(match))

    def edit_pull(self, match: re.Match[str], query: Mapping[str, str], body: Any, me: str) -> tuple[int, Any]:
        pull = self._of(match)
        if pull.state == "open" and body.get("state") == "closed":
            pull.state = "closed"
            self.effects.append(("close", str(pull.number)))
        return 200, self._pull(pull)

    def merge(self, match: re.Match[str], query: Mapping[str, str], body: Any, me: str) -> tuple[int, Any]:
        pull = self._of(match)
        document = self._pull(pull)
        if pull.state != "open" or pull.is_draft or not document["mergeable"]:
            raise No(405, "Pull Request is not mergeable")
        if body.get("sha") != pull.head_sha:
            raise No(409, "Head branch was modified. Review and try the merge again.")
        base = self._heads()[pull.base]
        tree = self.repo.git("merge-tree", "--write-tree", base, pull.head_sha).splitlines()[0]
        title = body["commit_title"].encode()
        pull.merge_sha = self.repo.git("commit-tree", tree, "-p", base, given=title)
        self.repo.git("update-ref", f"refs/heads/{pull.base}", pull.merge_sha, base)
        pull.state = "closed"
        self.effects.append(("merge", str(pull.number)))
        return 200, {"sha": pull.merge_sha, "merged": True, "message": "Pull Request successfully merged"}

    def list_comments(self, match: re.Match[str], query: Mapping[str, str], body: Any, me: str) -> tuple[int, Any]:
        kind = match[3] if match[3] == "reviews" else match[1]
        return 200, [one for one in self.comments if (one["_kind"], one["_number"]) == (kind, int(match[2]))]

    def create_comment(self, match: re.Match[str], query: Mapping[str, str], body: Any, me: str) -> tuple[int, Any]:
        comment = self._comment(int(match[2]), me, body["body"], "issues")
        self.comments.append(comment)
        self.effects.append(("comment", match[2]))
        return 201, comment

    def check_runs(self, match: re.Match[str], query: Mapping[str, str], body: Any, me: str) -> tuple[int, Any]:
        found = [self._run(one) for one in self.runs if one["sha"] == match[1]]
        return 200, {"total_count": len(found), "check_runs": _paged(found, query)}

    def run_annotations(self, match: re.Match[str], query: Mapping[str, str], body: Any, me: str) -> tuple[int, Any]:
        return 200, self.annotations.get(int(match[1]), [])

    def combined(self, match: re.Match[str], query: Mapping[str, str], body: Any, me: str) -> tuple[int, Any]:
        found = [one for one in self.statuses if one["sha"] == match[1]]
        return 200, {"state": "pending", "statuses": _paged(found, query), "total_count": len(found)}

    def _of(self, match: re.Match[str]) -> Pull:
        try:
            return self.pulls[int(match[1])]
        except KeyError:
            raise No(404, "Not Found") from None

    def _heads(self) -> dict[str, str]:
        lines = self.repo.git("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads").splitlines()
        return dict(line.split(" ") for line in lines)

    def _pull(self, pull: Pull, *, is_listed: bool = False) -> dict[str, Any]:
        heads = self._heads()
        if pull.state == "open" and not pull.fork:
            pull.head_sha = heads.get(pull.head, pull.head_sha)
        document = {
            "number": pull.number, "title": pull.title, "body": pull.body, "state": pull.state, "draft": pull.is_draft,
            "head": {"ref": pull.head, "sha": pull.head_sha, "repo": {"full_name": pull.fork or self.name}},
            "base": {"ref": pull.base, "sha": heads.get(pull.base, "")}, "user": {"login": pull.author},
            "html_url": "https://evil.example/pull", "url": "https://evil.example/api",
            "merge_commit_sha": pull.merge_sha or None, "merged_at": AT.format(9, 0) if pull.merge_sha else None,
        }  # fmt: skip
        if not is_listed:
            document |= {"merged": bool(pull.merge_sha), "mergeable": self._is_mergeable(pull, heads)}
        return document

    def _is_mergeable(self, pull: Pull, heads: Mapping[str, str]) -> bool | None:
        if pull.state != "open" or pull.base not in heads:
            return None
        command = ["git", "merge-tree", "--write-tree", heads[pull.base], pull.head_sha]
        return subprocess.run(command, cwd=self.repo.folder, capture_output=True).returncode == 0

    def _comment(self, number: int, author: str, body: str, kind: str, **more: object) -> dict[str, Any]:
        id = next(self._ids)
        association = {OWNER: "OWNER", BOT: "COLLABORATOR"}.get(author, "NONE")
        at = AT.format(id // 60, id % 60)
        return {
            "id": id, "_kind": kind, "_number": number, "body": body, "created_at": at,
            "author_association": association,
            "user": {"login": author, "type": "Bot" if author == BOT and self.is_app else "User"}, **more,
        }  # fmt: skip

    def _run(self, run: Mapping[str, Any]) -> dict[str, Any]:
        id = run["id"]
        return {
            "id": id, "name": run["name"], "head_sha": run["sha"], "conclusion": run["conclusion"],
            "status": "completed" if run["conclusion"] else "in_progress", "html_url": f"https://example.com/runs/{id}",
            "output": {**run["output"], "annotations_count": len(self.annotations.get(id, []))},
        }  # fmt: skip


def _paged(found: list[Any], query: Mapping[str, str]) -> list[Any]:
    size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
    return found[(page - 1) * size : page * size]


_ROUTES: list[tuple[str, str, Callable[..., tuple[int, Any]]]] = [
    ("GET", r"/user", GitHubDouble.user),
    ("GET", r"{repo}", GitHubDouble.repository),
    ("GET", r"{repo}/pulls", GitHubDouble.list_pulls),
    ("POST", r"{repo}/pulls", GitHubDouble.create_pull),
    ("GET", r"{repo}/pulls/(\d+)", GitHubDouble.get_pull),
    ("PATCH", r"{repo}/pulls/(\d+)", GitHubDouble.edit_pull),
    ("PUT", r"{repo}/pulls/(\d+)/merge", GitHubDouble.merge),
    ("GET", r"{repo}/(issues|pulls)/(\d+)/(comments|reviews)", GitHubDouble.list_comments),
    ("POST", r"{repo}/(issues)/(\d+)/(comments)", GitHubDouble.create_comment),
    ("GET", r"{repo}/commits/([0-9a-f]{40})/check-runs", GitHubDouble.check_runs),
    ("GET", r"{repo}/check-runs/(\d+)/annotations", GitHubDouble.run_annotations),
    ("GET", r"{repo}/commits/([0-9a-f]{40})/status", GitHubDouble.combined),
]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    github: GitHubDouble

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def answer(self) -> None:
        body, parts = self._body(), urlsplit(self.path)
        fault = self._fault(parts.path)
        if fault and fault.before:
            fault.before()
        if fault and fault.status:
            document = json.dumps({"message": fault.message}).encode()
            status, headers, out = fault.status, dict(fault.headers), document if fault.body is None else fault.body
        elif re.search(r"\.git/(info/refs|git-upload-pack|git-receive-pack)$", parts.path):
            status, headers, out = self._git(parts.path, parts.query, body)
        else:
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            # A server of GitHub's own kind has its API below its name.
            status, headers, out = self._rest(parts.path.removeprefix("/api/v3"), query, body)
        self.github.received.append((self.command, self.path, status))
        if fault and fault.hangs:
            self.github.ended.wait(20)
        if fault and (fault.lost or fault.hangs):
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(out)))
        self.end_headers()
        if fault and fault.cut:
            self.close_connection = True
            out = out[: len(out) // 2]
        self.wfile.write(out)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _fault(self, path: str) -> Fault | None:
        with self.github.lock:
            for fault in self.github.faults:
                if fault.verb == self.command and re.search(fault.path, path):
                    self.github.faults.remove(fault)
                    return fault
        return None

    def _login(self) -> str | None:
        kind, _, value = self.headers.get("authorization", "").partition(" ")
        if kind.lower() == "basic":
            value = base64.b64decode(value).decode().partition(":")[2]
        return self.github.tokens.get(value)

    def _rest(self, path: str, query: Mapping[str, str], raw: bytes) -> tuple[int, dict[str, str], bytes]:
        me = self._login()
        headers = {"Content-Type": "application/json; charset=utf-8"}
        try:
            if not me:
                raise No(401, "Bad credentials")
            body = json.loads(raw) if raw else None
            status, document = self.github.rest(self.command, path, query, body, me)
        except No as no:
            errors = [{"message": one} for one in no.errors]
            return no.status, headers, json.dumps({"message": no.message, "errors": errors}).encode()
        if isinstance(document, list):
            document = _paged(document, query)
        out = json.dumps(document).encode()
        if self.command == "GET":
            headers["ETag"] = f'"{hashlib.sha256(out).hexdigest()[:16]}"'
            if self.headers.get("if-none-match") == headers["ETag"]:
                return 304, headers, b""
        return status, headers, out

    def _git(self, path: str, query: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """git's own program for HTTP; who has no token is asked for one."""
        me = self._login()
        if not me:
            return 401, {"WWW-Authenticate": 'Basic realm="GitHub"'}, b""
        before = self.github._heads()
        environment = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.github.root), "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command, "REMOTE_USER": me,
            "CONTENT_TYPE": self.headers.get("content-type", ""), "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""), "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_PROTOCOL": self.headers.get("git-protocol", ""), "GIT_CONFIG_GLOBAL": os.devnull,
        }  # fmt: skip
        done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=environment)
        head, _, out = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        status = int(headers.pop("Status", "200").split()[0])
        after = self.github._heads()
        self.github.effects += [("push", name) for name, sha in after.items() if before.get(name) != sha]
        return status, headers, out
