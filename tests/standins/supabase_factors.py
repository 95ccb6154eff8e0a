"""The stand-in's second factors: enrol, challenge, verify, bound to one address."""

from __future__ import annotations

import secrets
import uuid
from typing import Any

from aiohttp import web

from tests.standins.supabase_answers import Problem, json_body
from tests.standins.supabase_gate import Gate
from tests.standins.supabase_state import Factor, Session, State, totp

LASTS = 300


class Factors:
    """`session_of` and `session_body` are the server's."""

    def __init__(self, state: State, gate: Gate, session_of: Any, session_body: Any) -> None:
        self.state = state
        self.gate = gate
        self.session_of = session_of
        self.session_body = session_body

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/factors", self.enrol),
            web.post("/factors/{id}/challenge", self.challenge),
            web.post("/factors/{id}/verify", self.verify),
        ]

    async def enrol(self, request: web.Request) -> web.Response:
        session, body = self.session_of(request), await json_body(request)
        kind = body.get("factor_type")
        if kind not in ("totp", "phone"):
            raise Problem(400, "validation_failed")
        name, phone = body.get("friendly_name", ""), body.get("phone", "")
        details = {"status": "unverified", "name": name, "phone": phone}
        factor = self.state.add_factor(session.user, kind, **details)
        answer: dict[str, Any] = {"id": factor.id, "type": kind, "friendly_name": name}
        if kind == "totp":
            uri = f"otpauth://totp/standin:{session.user.email}?secret={factor.secret}"
            answer["totp"] = {"qr_code": "<svg/>", "secret": factor.secret, "uri": uri}
        return web.json_response(answer)

    async def challenge(self, request: web.Request) -> web.Response:
        session = self.session_of(request)
        factor = self._factor(request, session)
        ends, code = self.state.now() + LASTS, ""
        if factor.kind == "phone":
            code = f"{secrets.randbelow(1_000_000):06}"
            self.state.messages.append((factor.phone, code))
        name = str(uuid.uuid4())
        factor.challenges[name] = (self.gate.address(request), ends, code)
        return web.json_response({"id": name, "type": factor.kind, "expires_at": int(ends)})

    async def verify(self, request: web.Request) -> web.Response:
        session, body = self.session_of(request), await json_body(request)
        factor = self._factor(request, session)
        challenge = factor.challenges.get(str(body.get("challenge_id")))
        if challenge is None:
            raise Problem(404, "mfa_factor_not_found", "MFA factor with that challenge not found")
        address, ends, sent = challenge
        if address != self.gate.address(request):
            raise Problem(422, "mfa_ip_address_mismatch")
        if self.state.now() >= ends:
            del factor.challenges[body["challenge_id"]]
            raise Problem(422, "mfa_challenge_expired")
        if not self._right(factor, str(body.get("code")), sent):
            raise Problem(422, "mfa_verification_failed", "Invalid TOTP code entered")
        del factor.challenges[body["challenge_id"]]
        factor.status = "verified"
        method = "totp" if factor.kind == "totp" else "mfa/phone"
        session.aal = "aal2"
        session.amr.insert(0, {"method": method, "timestamp": int(self.state.now())})
        session.refresh.clear()
        return web.json_response(self.session_body(session))

    def _right(self, factor: Factor, code: str, sent: str) -> bool:
        if factor.kind == "phone":
            return code == sent
        return code in [totp(factor.secret, self.state.now(), step) for step in (-1, 0, 1)]

    def _factor(self, request: web.Request, session: Session) -> Factor:
        for factor in session.user.factors:
            if factor.id == request.match_info["id"]:
                return factor
        raise Problem(404, "mfa_factor_not_found")
