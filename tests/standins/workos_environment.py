"""The stand-in's environment: what the dashboard switches, and what all of its parts share."""

from __future__ import annotations

import secrets
from typing import Any

from tests.standins.workos_state import (
    Application,
    Attempt,
    Clock,
    Person,
    Session,
    State,
    User,
    new_id,
    stamp,
)
from tests.standins.workos_tokens import Ring

SESSION_TTL = 300
ACCESS_TTL = 300
SPELLED = {"GitHubOAuth": "GithubOAuth"}
"""What `/identities` writes otherwise than everywhere else."""


class Environment:
    """One WorkOS environment. Every knob is a plain attribute, and may change at any time."""

    def __init__(self) -> None:
        self.api_key = "sk_test_" + secrets.token_hex(16)
        self.client_id = new_id("client")
        self.webhook_secret = secrets.token_hex(24)
        self.api_url = ""
        self.authkit_url = ""
        self.state = State()
        self.clock = Clock()
        self.session_keys = Ring()
        self.authkit_keys = Ring()

        # Connect -> Configuration. Both switches are off in a new environment of WorkOS's; here
        # they are on, because nearly every test wants them.
        self.dcr_enabled = True
        self.cimd_enabled = True
        self.documents: dict[str, dict[str, Any]] = {}
        """Client ID metadata documents by their address, where a stage can serve none: real clients
        insist on https. Others are fetched."""
        self.login_uri: str | None = None
        self.resources: list[str] = []
        self.default_resource: str | None = None
        self.loopback_any_port = True
        """Whether a loopback redirect URI may come with another port than its registered one."""

        # What a live tenant alone can tell: every answer can be had.
        self.resource_mode = "registered"
        """"registered": a listed resource is `aud`, else the environment's client id. "none": as
        if nothing were listed. "strict": an unlisted resource is `invalid_target`."""
        self.sub_mode = "external"
        """"external": `sub` is the id that `complete` was given. "user": WorkOS's `user_…`."""
        self.client_id_claim = True
        self.sticky = False
        """AuthKit's own browser session skips the Login URI, for whoever was there last."""

        # User Management.
        self.redirect_uris: list[str] = []
        self.logout_uris: list[str] = []
        self.people: list[Person] = []
        self.provider_tokens = False
        self.sso_required_status = 403
        """The specification has `sso_required` with 400 and with 403."""

    def now(self) -> float:
        return self.clock.now()

    # --- people -----------------------------------------------------------------------------

    def add_user(self, email: str, **details: Any) -> User:
        now = self.now()
        user = User(new_id("user"), email.strip(), created=now, updated=now, **details)
        self.state.users[user.id] = user
        self.emit("user.created", user.body())
        return user

    def user_by_email(self, email: str) -> User | None:
        asked = email.strip().casefold()
        found = (one for one in self.state.users.values() if one.email.casefold() == asked)
        return next(found, None)

    def user_by_external_id(self, external_id: str) -> User | None:
        found = (one for one in self.state.users.values() if one.external_id == external_id)
        return next(found, None)

    def account_of(self, person: Person) -> User:
        """Whose account it is: the linked one, one with the same address, a new one.

        An address that the provider has not verified never links an account by itself: ask
        `linked` afterwards, and for a code from that mailbox if it is not.
        """
        known = self.state.users.get(self.state.links.get(f"{person.provider}:{person.id}", ""))
        if known is not None:
            return known
        same = self.user_by_email(person.email)
        if same is not None and not person.email_verified:
            return same
        user = same or self.add_user(
            person.email,
            email_verified=person.email_verified,
            first_name=person.first_name,
            last_name=person.last_name,
        )
        user.email_verified = person.email_verified or user.email_verified
        self.link(user, person)
        return user

    def linked(self, user: User, person: Person) -> bool:
        return self.state.links.get(f"{person.provider}:{person.id}") == user.id

    def link(self, user: User, person: Person) -> None:
        """The provider's account belongs to this user from now on."""
        self.state.links[f"{person.provider}:{person.id}"] = user.id
        spelled = SPELLED.get(person.provider, person.provider)
        identity = {"idp_id": person.id, "type": "OAuth", "provider": spelled}
        if identity not in user.identities:
            user.identities.append(identity)

    def delete_user(self, user: User) -> None:
        """The user goes with sessions, links, consents; refresh tokens die with those."""
        del self.state.users[user.id]
        for session in self.state.sessions.values():
            if session.user_id == user.id:
                self.end_session(session)
        for consent in self.state.consents.values():
            if consent.user_id == user.id:
                consent.ended = True
        for name in [name for name, owner in self.state.links.items() if owner == user.id]:
            del self.state.links[name]
        self.emit("user.deleted", user.body())

    # --- sessions of User Management --------------------------------------------------------

    def open_session(self, user: User, auth_method: str, organization: str | None) -> Session:
        session = Session(
            new_id("session"), user.id, auth_method, self.now(), organization_id=organization
        )
        self.state.sessions[session.id] = session
        user.last_sign_in = self.now()
        self.emit("session.created", session.body())
        return session

    def end_session(self, session: Session) -> None:
        if session.ended is None:
            session.ended = self.now()
            self.emit("session.revoked", session.body())

    def session_token(self, session: Session) -> str:
        """Claims as documented: no `aud`."""
        now = int(self.now())
        claims: dict[str, Any] = {
            "iss": f"{self.api_url}/user_management/{self.client_id}",
            "sub": session.user_id,
            "sid": session.id,
            "jti": new_id("jti"),
            "iat": now,
            "exp": now + SESSION_TTL,
        }
        if session.organization_id is not None:
            claims["org_id"] = session.organization_id
        return self.session_keys.sign(claims)

    def wait_for(self, attempt: Attempt) -> str:
        """A pending authentication token for a sign-in that needs a further step."""
        token = secrets.token_urlsafe(24)
        self.state.pending[token] = attempt
        return token

    # --- clients and events -----------------------------------------------------------------

    def add_application(self, name: str, redirect_uris: list[str], **details: Any) -> Application:
        """An OAuth client at AuthKit."""
        details = {"client_id": new_id("client"), **details}
        made = Application(
            new_id("conn_app"),
            name=name,
            redirect_uris=list(redirect_uris),
            created=self.now(),
            **details,
        )
        self.state.applications[made.client_id] = made
        return made

    def emit(self, event: str, data: dict[str, Any], event_id: str | None = None) -> dict[str, Any]:
        """Remember an event for `GET /events`; what a webhook would carry."""
        name = event_id or new_id("event")
        made = {
            "object": "event",
            "id": name,
            "event": event,
            "data": data,
            "created_at": stamp(self.now()),
            "context": {},
        }
        self.state.events[name] = made
        return made
