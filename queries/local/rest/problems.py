"""What PostHog's REST refuses, and with which status, code and words (drf-exceptions-hog)."""

from __future__ import annotations

from starlette.responses import JSONResponse


class Problem(Exception):
    """A request that cannot be done. `attr` names the field that is wrong."""

    def __init__(self, status: int, type: str, code: str, detail: str, attr: str | None = None) -> None:
        super().__init__(detail)
        self.status, self.type, self.code, self.detail, self.attr = status, type, code, detail, attr

    def response(self) -> JSONResponse:
        body = {"type": self.type, "code": self.code, "detail": self.detail, "attr": self.attr}
        # A refused value may be quoted, and text from outside may hold half a surrogate pair.
        clean = {name: value and value.encode("utf-8", "replace").decode() for name, value in body.items()}
        return JSONResponse(clean, self.status)


def invalid(detail: str, attr: str | None = None, code: str = "invalid_input") -> Problem:
    return Problem(400, "validation_error", code, detail, attr)


def unreadable(detail: str) -> Problem:
    return Problem(400, "invalid_request", "parse_error", detail)


def not_found(detail: str = "Not found.") -> Problem:
    return Problem(404, "invalid_request", "not_found", detail)


def conflict(detail: str) -> Problem:
    return Problem(409, "server_error", "conflict", detail)


def not_allowed(method: str) -> Problem:
    return Problem(405, "invalid_request", "method_not_allowed", f'Method "{method}" not allowed.')
