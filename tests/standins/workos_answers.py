"""Errors in both of WorkOS's shapes, how bodies are read, and the pages of the stage."""

from __future__ import annotations

import html
import json
from typing import Any
from urllib.parse import urlencode

from aiohttp import web


class Problem(Exception):
    """An error of the API: `{"code", "message", …}`, without `code` where WorkOS gives none."""

    def __init__(self, status: int, code: str | None, message: str = "", **more: Any) -> None:
        super().__init__(code or message)
        self.status = status
        self.body: dict[str, Any] = {"message": message or (code or "").replace("_", " "), **more}
        if code is not None:
            self.body = {"code": code, **self.body}


class OAuthProblem(Exception):
    """An error in OAuth's shape: `{"error", "error_description", …}`."""

    def __init__(
        self, error: str, description: str = "", *, status: int = 400, **more: Any
    ) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error, "error_description": description or error, **more}


class PageProblem(Exception):
    """An error that the person sees, because there is nowhere safe to redirect to."""

    def __init__(self, error: str, text: str, *, status: int = 400) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.text = text


@web.middleware
async def problems(request: web.Request, handler: Any) -> web.StreamResponse:
    """Turn what handlers raise into answers."""
    try:
        answer: web.StreamResponse = await handler(request)
    except (Problem, OAuthProblem) as problem:
        answer = web.json_response(problem.body, status=problem.status)
        if isinstance(problem, OAuthProblem) and problem.status == 401:
            answer.headers["WWW-Authenticate"] = f'Bearer error="{problem.body["error"]}"'
    except PageProblem as problem:
        text = f"<p id=error>{html.escape(problem.error)}</p><p>{html.escape(problem.text)}</p>"
        answer = page("Something went wrong", text, status=problem.status)
    return answer


async def json_object(request: web.Request) -> dict[str, Any]:
    """The body as a JSON object; 422 for anything else."""
    try:
        body = json.loads(await request.text() or "{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Problem(422, "invalid_request_parameters", "Body must be a JSON object.", errors=[])
    return body


async def json_or_form(request: web.Request) -> dict[str, Any]:
    """As /user_management/authenticate takes it; anything malformed is `invalid_request`."""
    if request.content_type == "application/x-www-form-urlencoded":
        return dict((await request.post()).items())
    try:
        body = json.loads(await request.text() or "{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise OAuthProblem("invalid_request", "The request body could not be parsed.")
    return body


async def form_of(request: web.Request) -> dict[str, str]:
    """A form's fields; one that is there twice is an error (RFC 6749, 3.2)."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise OAuthProblem("invalid_request", "The body must be form-encoded.")
    fields = await request.post()
    if len(set(fields)) != len(fields):
        raise OAuthProblem("invalid_request", "A parameter is repeated.")
    return {name: str(value) for name, value in fields.items()}


def not_found(kind: str, entity: str) -> Problem:
    return Problem(404, "entity_not_found", f"{kind} not found: '{entity}'.", entity_id=entity)


def listed(request: web.Request, rows: list[dict[str, Any]], order: str = "desc") -> web.Response:
    """A page of a list: `rows` are oldest first, `order` is how they come unless asked for."""
    if request.query.get("order", order) == "desc":
        rows = rows[::-1]
    limit = request.query.get("limit", "10")
    if not limit.isdecimal() or not 1 <= int(limit) <= 100:
        raise Problem(422, "invalid_request_parameters", "limit is out of range", errors=[])
    ids = [row["id"] for row in rows]
    start, end = 0, len(rows)
    if (after := request.query.get("after")) in ids:
        start = ids.index(after) + 1
    if (before := request.query.get("before")) in ids:
        end = ids.index(before)
    shown = rows[start:end][: int(limit)]
    more = bool(shown) and shown[-1]["id"] != ids[-1]
    earlier = bool(shown) and shown[0]["id"] != ids[0]
    metadata = {
        "before": shown[0]["id"] if earlier else None,
        "after": shown[-1]["id"] if more else None,
    }
    return web.json_response({"object": "list", "data": shown, "list_metadata": metadata})


def page(title: str, inside: str, *, status: int = 200) -> web.Response:
    text = f"<!doctype html><title>{html.escape(title)}</title><h1>{html.escape(title)}</h1>"
    return web.Response(text=text + inside, content_type="text/html", status=status)


def with_query(url: str, query: dict[str, str | None]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"{url}{'&' if '?' in url else '?'}{urlencode(given)}"
