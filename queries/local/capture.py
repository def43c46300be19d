"""PostHog's v0 capture routes and its AI lane.

Only POST: PostHog also takes events in a GET's query, which any web page could send by an image, unseen by the check of
its origin.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from queries.local.bodies import MAX_BODY_BYTES, BadRequest, Packing
from queries.local.credentials import Credentials, peer_of
from queries.local.ingest import MAX_AI_EVENT_BYTES, MAX_EVENT_BYTES
from queries.local.wire import IDENTIFY, check_ai, decode
from queries.local.writer import Writer
from workspace.errors import LoopdeskError

EVENTS = ("/batch", "/i/v0/e", "/e", "/capture", "/track", "/engage")
AI_BATCH, AI_MULTIPART = "/i/v0/ai/batch", "/i/v0/ai"


class CaptureV0:
    def __init__(self, writer: Writer, credentials: Credentials) -> None:
        self._writer, self._credentials = writer, credentials

    def routes(self) -> list[Route]:
        """With and without a slash at the end, as PostHog has them."""
        handlers = {**dict.fromkeys(EVENTS, self.events), AI_BATCH: self.ai_batch, AI_MULTIPART: self.ai_multipart}
        return [
            Route(path + slash, handler, methods=["POST"]) for path, handler in handlers.items() for slash in ("", "/")
        ]

    async def events(self, request: Request) -> Response:
        unnamed = IDENTIFY if request.url.path.strip("/") == "engage" else ""
        return await self._answer(request, unnamed=unnamed)

    async def ai_batch(self, request: Request) -> Response:
        return await self._answer(request, ai=True)

    async def ai_multipart(self, _request: Request) -> Response:
        return PlainTextResponse(
            f"Multipart AI events are not taken here: send them as JSON to {AI_BATCH}/, as capture_ai() does.", 415
        )

    async def _answer(self, request: Request, *, unnamed: str = "", ai: bool = False) -> Response:
        query = request.query_params
        try:
            body = await read_body(request)
            await run_in_threadpool(
                self._take, body, packing_of(request), query.get("_", ""), unnamed, ai, peer_of(request)
            )
        except BadRequest as error:
            return PlainTextResponse(error.reason, error.status)
        except LoopdeskError as error:
            # 503 makes the SDK try again, and the loops' client spool: nothing is lost while the disk is full.
            return PlainTextResponse(str(error), 503)
        return Response(status_code=204) if query.get("beacon") == "1" else JSONResponse({"status": "Ok"})

    def _take(self, body: bytes, packing: Packing, sent_at: str, unnamed: str, ai: bool, peer: str) -> None:
        capture = decode(body, packing, sent_at=sent_at, unnamed=unnamed)
        self._credentials.check_project(capture.token, peer)
        if ai:
            check_ai(capture.events)
        limit = MAX_AI_EVENT_BYTES if ai else MAX_EVENT_BYTES
        self._writer.take(capture.events, sent_at=capture.sent_at, limit=limit)


def packing_of(request: Request) -> Packing:
    return Packing(
        request.headers.get("content-encoding", "").strip().lower(),
        request.query_params.get("compression", "").lower(),
        request.headers.get("content-type", "").lower(),
    )


async def read_body(request: Request) -> bytes:
    """Raises `BadRequest` 413 as soon as it is too large."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise BadRequest(413, f"The body is larger than {MAX_BODY_BYTES:,} bytes")
        chunks.append(chunk)
    return b"".join(chunks)
