"""Errors in Supabase Auth's shapes, and how a request body is read."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

VERSION = "2024-01-01"


class Problem(Exception):
    """An error of Auth's; `oauth` for the places that answer in OAuth's shape, always with 400."""

    def __init__(self, status: int, code: str, message: str = "", *, oauth: bool = False) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message or code.replace("_", " ").capitalize()
        self.oauth = oauth

    def answer(self, request: web.Request) -> web.Response:
        if self.oauth:
            body = {"error": self.code, "error_description": self.message}
            return web.json_response(body, status=400)
        headers = {"x-sb-error-code": self.code}
        if request.headers.get("X-Supabase-Api-Version") == VERSION:
            headers["X-Supabase-Api-Version"] = VERSION
            new = {"code": self.code, "message": self.message}
            return web.json_response(new, status=self.status, headers=headers)
        old = {"code": self.status, "error_code": self.code, "msg": self.message}
        return web.json_response(old, status=self.status, headers=headers)


async def json_body(request: web.Request) -> dict[str, Any]:
    """The body; a form is no JSON, whatever is in it."""
    try:
        body = json.loads(await request.text() or "{}")
    except ValueError:
        raise Problem(400, "bad_json", "Could not parse request body as JSON") from None
    if not isinstance(body, dict):
        raise Problem(400, "bad_json", "Could not parse request body as JSON")
    return body


@web.middleware
async def problems(request: web.Request, handler: Any) -> web.StreamResponse:
    """Turn what handlers raise into answers."""
    try:
        answer: web.StreamResponse = await handler(request)
    except Problem as problem:
        return problem.answer(request)
    return answer
