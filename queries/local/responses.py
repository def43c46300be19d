"""PostHog's answers that are not data: the error bodies of its private API."""

from __future__ import annotations

from starlette.responses import JSONResponse


def error_response(status: int, type: str, code: str, detail: str, extra: dict | None = None) -> JSONResponse:
    """`{type, code, detail, attr}`, and `extra` where there is more to say."""
    body = {"type": type, "code": code, "detail": detail, "attr": None}
    return JSONResponse(body | ({"extra": extra} if extra else {}), status)
