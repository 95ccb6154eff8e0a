"""The arguments of the four tools, as told to models and people. Text only, no logic."""

from __future__ import annotations

from authgate.tools.arguments import Argument

_RESOURCE = Argument(
    "resource", "The MCP server the token is for (RFC 8707). Leave out for the default one."
)

REGISTER = (
    Argument(
        "client_data",
        "Client metadata (RFC 7591): redirect_uris (a list, required), and optionally client_name, "
        "grant_types, response_types, token_endpoint_auth_method (none for PKCE only), scope, "
        "client_uri, logo_uri and more.",
        required=True,
        kind="object",
    ),
)

AUTHORIZE = (
    Argument("client_id", "The client_id that oauth_register_client returned.", required=True),
    Argument(
        "redirect_uri", "One of the redirect URIs the client registered, exactly.", required=True
    ),
    Argument("state", "A fresh random value; it comes back unchanged. Compare it.", required=True),
    Argument(
        "code_challenge",
        "PKCE: BASE64URL(SHA-256(code_verifier)) without padding, 43 characters.",
        required=True,
    ),
    Argument("code_challenge_method", "S256.", required=True),
    Argument("scope", "Scope names separated by spaces. Leave out for all of them."),
    _RESOURCE,
)

AUTHENTICATE = (
    Argument("challenge_id", "The challenge_id that oauth_authorize returned.", required=True),
    Argument("username", "With password: the person's e-mail address."),
    Argument(
        "password",
        "With username. It becomes part of this conversation: prefer the authorization_url.",
    ),
    Argument(
        "provider", "With oauth_code: github, google or authkit, if oauth_authorize offered it."
    ),
    Argument("oauth_code", "With provider: the one-time code our page showed after that sign-in."),
    Argument(
        "mfa_code",
        "Alone with challenge_id, after an answer with mfa_required: the person's current code.",
    ),
)

TOKEN = (
    Argument("grant_type", "authorization_code or refresh_token.", required=True),
    Argument("code", "authorization_code: the code that oauth_authenticate returned."),
    Argument("client_id", "The client_id that oauth_register_client returned."),
    Argument("code_verifier", "authorization_code: the value the code_challenge was made from."),
    Argument("refresh_token", "refresh_token: the newest refresh token."),
    Argument("redirect_uri", "authorization_code: optional; compared if sent."),
    Argument("scope", "refresh_token: a part of the granted scopes, to narrow the token."),
    _RESOURCE,
    Argument("client_secret", "Only for clients that were registered with a secret."),
)

AUTHENTICATE_ELSEWHERE = (
    Argument("challenge_id", "The challenge_id that oauth_authorize returned.", required=True),
)

TOKEN_ELSEWHERE = (
    Argument("grant_type", "authorization_code or refresh_token.", required=True),
    Argument("client_id", "The client_id that oauth_register_client returned.", required=True),
    Argument("code", "authorization_code: the code that arrived at the redirect URI."),
    Argument("redirect_uri", "authorization_code: the one of oauth_authorize, exactly."),
    Argument("code_verifier", "authorization_code: the value the code_challenge was made from."),
    Argument("refresh_token", "refresh_token: the newest refresh token."),
    Argument("scope", "refresh_token: a part of the granted scopes, to narrow the token."),
    _RESOURCE,
    Argument("client_secret", "Only for clients that were registered with a secret."),
)

# The ways to sign in with oauth_authenticate; arguments of two ways contradict each other.
WAYS = {
    "password": ("username", "password"),
    "provider": ("provider", "oauth_code"),
    "factor": ("mfa_code",),
}
