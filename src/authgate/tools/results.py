"""What the tools answer, as types: type checkers read them, and MCP clients get their schemas.

Plain dicts at run time, so that both faces send them as they are. Never here: how they are made.
`typing_extensions` because pydantic, which makes the schemas, asks for it below Python 3.12.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict


class ClientInformation(TypedDict):
    """A registered client (RFC 7591 section 3.2.1): everything that was registered."""

    client_id: Annotated[str, Field(description="Use this in all further calls")]
    client_id_issued_at: int
    redirect_uris: list[str]
    token_endpoint_auth_method: str
    grant_types: list[str]
    response_types: list[str]
    application_type: str
    scope: str
    client_name: NotRequired[str]
    client_secret: NotRequired[Annotated[str, Field(description="Shown this once only")]]
    client_secret_expires_at: NotRequired[Annotated[int, Field(description="0: never")]]
    client_uri: NotRequired[str]
    logo_uri: NotRequired[str]
    tos_uri: NotRequired[str]
    policy_uri: NotRequired[str]
    software_id: NotRequired[str]
    software_version: NotRequired[str]
    contacts: NotRequired[list[str]]
    jwks_uri: NotRequired[str]
    jwks: NotRequired[dict[str, Any]]


class Challenge(TypedDict):
    """An authorization request that waits for a person."""

    challenge_id: Annotated[str, Field(description="For oauth_authenticate; keep it to yourself")]
    authorization_url: Annotated[
        str, Field(description="Open in the person's browser: the preferred way to sign in")
    ]
    expires_in: Annotated[int, Field(description="Seconds until the challenge_id expires")]
    providers: Annotated[
        dict[str, str],
        Field(
            description="Where the person signs in with GitHub or Google, if offered: name to "
            "URL; it ends in an oauth_code"
        ),
    ]


class Factor(TypedDict):
    """A second factor that is due."""

    kind: Annotated[
        str, Field(description="totp (an authenticator app), phone or email (a message)")
    ]
    hint: Annotated[str, Field(description="The end of the number or address, or empty")]


class Answered(TypedDict):
    """The answer to an authorization request (RFC 6749 section 4.1.2, RFC 9207 section 2), or what
    is still due before there is one.

    One type with a member that is always there, and not a union: the root of an output schema is
    an object with properties, and clients make their types from those.
    """

    mfa_required: Annotated[
        bool, Field(description="false: here is the code; true: call again with mfa_code")
    ]
    code: NotRequired[
        Annotated[str, Field(description="For oauth_token; works once, for a minute")]
    ]
    state: NotRequired[Annotated[str, Field(description="The state that was sent; compare it")]]
    iss: NotRequired[
        Annotated[str, Field(description="The issuer; compare it to the one you meant")]
    ]
    redirect_to: NotRequired[Annotated[str, Field(description="The same answer as a redirect")]]
    factor: NotRequired[Annotated[Factor, Field(description="What the person has to enter")]]
    expires_in: NotRequired[
        Annotated[int, Field(description="Seconds until the password is due again")]
    ]


class Token(TypedDict):
    """A token response (RFC 6749 section 5.1)."""

    access_token: str
    token_type: str
    expires_in: Annotated[int, Field(description="Seconds until the access token expires")]
    scope: str
    refresh_token: NotRequired[str]


class ClientElsewhere(TypedDict):
    """A client registered at AuthKit, as far as it tells (RFC 7591 section 3.2.1)."""

    client_id: Annotated[str, Field(description="Use this in all further calls")]
    client_id_issued_at: NotRequired[int]
    redirect_uris: NotRequired[list[str]]
    token_endpoint_auth_method: NotRequired[str]
    grant_types: NotRequired[list[str]]
    response_types: NotRequired[list[str]]
    application_type: NotRequired[str]
    scope: NotRequired[str]
    client_name: NotRequired[str]
    client_secret: NotRequired[Annotated[str, Field(description="Shown this once only")]]
    client_secret_expires_at: NotRequired[Annotated[int, Field(description="0: never")]]
    client_uri: NotRequired[str]
    logo_uri: NotRequired[str]
    tos_uri: NotRequired[str]
    policy_uri: NotRequired[str]
    software_id: NotRequired[str]
    software_version: NotRequired[str]
    contacts: NotRequired[list[str]]


class Interaction(TypedDict):
    """Where a person has to go: nothing can be answered for them here."""

    interaction_required: Annotated[bool, Field(description="Always true")]
    authorization_url: Annotated[str, Field(description="Open in the person's own browser")]
    expires_in: Annotated[int, Field(description="Seconds until the challenge_id expires")]
    message: Annotated[str, Field(description="What happens there, and what to do then")]


class TokenElsewhere(TypedDict):
    """A token response of AuthKit (RFC 6749 section 5.1)."""

    access_token: str
    token_type: str
    expires_in: NotRequired[
        Annotated[int, Field(description="Seconds until the access token expires")]
    ]
    scope: NotRequired[str]
    refresh_token: NotRequired[str]
    id_token: NotRequired[Annotated[str, Field(description="With scope openid: who signed in")]]
