"""The one table between reasons and the outside: OAuth code, status, sentence, hint, reach.

Codes come from RFC 6749 sections 4.1.2.1 and 5.2, RFC 7591 section 3.2.2, RFC 6750 section 3.1,
RFC 8707 section 2, RFC 7009 section 2.2.1. Sentences keep to the characters RFC 6749 allows in
`error_description` (%x20-21, %x23-5B, %x5D-7E): no double quote, no backslash, ASCII only.
"""

from __future__ import annotations

from authgate.protocol.reasons import Face, Reason, Shown

_REGISTER_AGAIN = (
    "Register the client first (POST to the registration endpoint, or the tool "
    "oauth_register_client) and use the client_id it returns; if your application remembers an "
    "old registration, remove it and connect again."
)
_START_AGAIN = "Start again from your application: it will send you to a fresh sign-in page."
_NEW_AUTHORIZATION = (
    "Start a new authorization request; a code works once, for the client, redirect URI and PKCE "
    "challenge it was made for."
)
_SIGN_IN_AGAIN = "Start a new authorization request so that the person can sign in again."
_PASSWORD_AGAIN = (
    "Sign in again as before and then enter a current code; the challenge stays usable."
)
_TOKEN_AGAIN = (
    "Get a new access token with the refresh token, or start a new authorization request."
)
_PKCE_MAKE = (
    "Send code_challenge = BASE64URL(SHA-256(code_verifier)) without padding, and "
    "code_challenge_method=S256."
)

R = Shown.REDIRECT

FACES: dict[Reason, Face] = {
    Reason.CLIENT_MISSING: Face(
        "invalid_client", 401, "Invalid client: no client_id was sent.", _REGISTER_AGAIN
    ),
    Reason.CLIENT_UNKNOWN: Face(
        "invalid_client",
        401,
        "Invalid client: this client_id is not registered here.",
        _REGISTER_AGAIN,
    ),
    Reason.CLIENT_SECRET_WRONG: Face(
        "invalid_client",
        401,
        "Invalid client: client authentication failed.",
        "Check client_id and client_secret; if the secret is lost, register the client again.",
    ),
    Reason.CLIENT_AUTH_METHOD: Face(
        "invalid_client",
        401,
        "Invalid client: this client is registered to authenticate with {registered}, not {used}.",
        "Authenticate the way the client was registered (token_endpoint_auth_method).",
    ),
    Reason.CLIENT_AUTH_TWICE: Face(
        "invalid_request",
        400,
        "The client authenticated in more than one way.",
        "Send the client secret either in the Authorization header or in the body, not both.",
    ),
    Reason.CLIENT_AUTH_MALFORMED: Face(
        "invalid_client",
        401,
        "Invalid client: the Authorization header is not valid HTTP Basic.",
        "Form-encode client_id and client_secret, join them with a colon and encode as base64 "
        "(RFC 6749 section 2.3.1).",
    ),
    Reason.CLIENT_GRANT_NOT_ALLOWED: Face(
        "unauthorized_client",
        400,
        "This client is not registered for the grant type {grant}.",
        "Register the client with {grant} among its grant_types.",
    ),
    Reason.CLIENT_PUBLIC: Face(
        "invalid_client",
        401,
        "Invalid client: this endpoint needs a client that authenticates.",
        "Register a client with client_secret_basic or client_secret_post and use its secret.",
    ),
    Reason.REGISTRATION_MALFORMED: Face(
        "invalid_client_metadata",
        400,
        "The registration is not a JSON object.",
        "Send a JSON object with at least redirect_uris (RFC 7591 section 2).",
    ),
    Reason.REGISTRATION_METADATA: Face(
        "invalid_client_metadata",
        400,
        "The client metadata member {member} is not acceptable: {why}.",
        "Correct {member} and register again.",
    ),
    Reason.REGISTRATION_REDIRECT_URI: Face(
        "invalid_redirect_uri",
        400,
        "The redirect URI {uri} is not acceptable: {why}.",
        "Use https, or http on 127.0.0.1, [::1] or localhost, written out in full without "
        "fragment, wildcard, user information or dot segments.",
    ),
    Reason.SOFTWARE_STATEMENT_MALFORMED: Face(
        "invalid_software_statement",
        400,
        "The software_statement is not a JWT.",
        "Leave software_statement out: this server approves no issuer of software statements.",
    ),
    Reason.SOFTWARE_STATEMENT_UNAPPROVED: Face(
        "unapproved_software_statement",
        400,
        "This server approves no issuer of software statements.",
        "Leave software_statement out and register with plain metadata.",
    ),
    Reason.REQUEST_MALFORMED: Face(
        "invalid_request",
        400,
        "The request is malformed: {why}.",
        "Send the parameters as the specification of this endpoint says.",
        R,
    ),
    Reason.REQUEST_REPEATED: Face(
        "invalid_request",
        400,
        "The parameter {name} was sent more than once.",
        "Send every parameter once (RFC 6749 section 3.1).",
        R,
    ),
    Reason.REQUEST_TOO_LARGE: Face(
        "invalid_request",
        413,
        "The request is larger than {limit} bytes.",
        "Send a smaller request.",
    ),
    Reason.CONTENT_TYPE: Face(
        "invalid_request",
        400,
        "The content type is not {expected}.",
        "Set Content-Type: {expected}.",
    ),
    Reason.PARAMETER_MISSING: Face(
        "invalid_request", 400, "The parameter {name} is missing.", "Send {name}.", R
    ),
    Reason.PARAMETER_TOO_LONG: Face(
        "invalid_request",
        400,
        "The parameter {name} is longer than {limit} characters.",
        "Send a shorter {name}.",
        R,
    ),
    Reason.PARAMETER_TYPE: Face(
        "invalid_request",
        400,
        "The parameter {name} is not {expected}.",
        "Send {name} as {expected}.",
    ),
    Reason.TOOL_UNKNOWN: Face(
        "invalid_request",
        400,
        "There is no tool called {name}.",
        "Use one of {known}.",
    ),
    Reason.REDIRECT_URI_MISSING: Face(
        "invalid_request",
        400,
        "The redirect URI (redirect_uri) is missing.",
        "Send one of the redirect URIs the client registered.",
    ),
    Reason.REDIRECT_URI_UNREGISTERED: Face(
        "invalid_request",
        400,
        "The redirect URI is not one that this client registered.",
        "Send a registered redirect URI character for character; only the port of a loopback "
        "redirect URI may differ.",
    ),
    Reason.RESPONSE_TYPE: Face(
        "unsupported_response_type",
        400,
        "The response_type must be code.",
        "Send response_type=code: only the authorization code flow with PKCE is offered.",
        R,
    ),
    Reason.RESPONSE_MODE: Face(
        "invalid_request", 400, "The response_mode must be query.", "Leave response_mode out.", R
    ),
    Reason.REQUEST_OBJECT: Face(
        "request_not_supported",
        400,
        "Request objects are not supported.",
        "Send the parameters themselves instead of request or request_uri.",
        R,
    ),
    Reason.PKCE_MISSING: Face(
        "invalid_request", 400, "PKCE is required: code_challenge is missing.", _PKCE_MAKE, R
    ),
    Reason.PKCE_METHOD: Face(
        "invalid_request",
        400,
        "PKCE must use S256: code_challenge_method is missing or another.",
        _PKCE_MAKE,
        R,
    ),
    Reason.PKCE_CHALLENGE_MALFORMED: Face(
        "invalid_request",
        400,
        "The PKCE code_challenge is not 43 base64url characters, as S256 makes them.",
        _PKCE_MAKE,
        R,
    ),
    Reason.STATE_MISSING: Face(
        "invalid_request",
        400,
        "The state parameter is missing.",
        "Send a fresh random state and compare it when the answer comes back.",
        R,
    ),
    Reason.STATE_MALFORMED: Face(
        "invalid_request",
        400,
        "The state parameter is too long or holds unprintable characters.",
        "Send a state of at most 4096 printable ASCII characters.",
    ),
    Reason.SCOPE_MALFORMED: Face(
        "invalid_scope",
        400,
        "The scope parameter is malformed.",
        "Send scope names separated by single spaces (RFC 6749 section 3.3).",
        R,
    ),
    Reason.SCOPE_BEYOND_GRANT: Face(
        "invalid_scope",
        400,
        "The scope {scope} is not part of what was granted.",
        "Ask for a part of the granted scope, or start a new authorization request.",
    ),
    Reason.RESOURCE_UNKNOWN: Face(
        "invalid_target",
        400,
        "The resource is not one that this server issues tokens for.",
        "Send the resource from the protected resource metadata: {known}.",
        R,
    ),
    Reason.RESOURCE_REPEATED: Face(
        "invalid_target",
        400,
        "A token is issued for one resource, but several were asked for.",
        "Send one resource per request.",
        R,
    ),
    Reason.RESOURCE_BEYOND_GRANT: Face(
        "invalid_target",
        400,
        "The resource is not the one that was granted.",
        "Leave resource out or send the one of the authorization request.",
    ),
    Reason.ACCESS_DENIED: Face(
        "access_denied",
        403,
        "The person denied the request.",
        "Connect again if this was not intended.",
        R,
    ),
    Reason.INTERACTION_REQUIRED: Face(
        "interaction_required",
        400,
        "This request needs a person to sign in and consent.",
        "Open the authorization URL in a browser, without prompt=none.",
        R,
    ),
    Reason.SIGN_IN_WRONG: Face(
        "access_denied",
        401,
        "That e-mail address and password do not match an account here.",
        "Check both and try again; the challenge stays usable.",
    ),
    Reason.SIGN_IN_THROTTLED: Face(
        "slow_down",
        429,
        "Too many sign-in attempts did not succeed.",
        "Wait {retry_after} seconds, then try again.",
    ),
    Reason.SIGN_IN_UNAVAILABLE: Face(
        "temporarily_unavailable",
        503,
        "Signing in is not possible at the moment.",
        "Try again in a minute; nothing was lost.",
        R,
    ),
    Reason.SIGN_IN_NOT_OFFERED: Face(
        "access_denied",
        403,
        "Signing in with a password is not offered here.",
        "Use one of the ways the sign-in page shows.",
    ),
    Reason.EMAIL_UNCONFIRMED: Face(
        "access_denied",
        403,
        "The e-mail address of this account has not been confirmed yet.",
        "Open the link in the confirmation message, then sign in again.",
    ),
    Reason.FACTOR_WRONG: Face(
        "access_denied",
        401,
        "That code is not right.",
        "Enter the current code; after too many wrong ones the password is due again.",
    ),
    Reason.FACTOR_SENT_AGAIN: Face(
        "access_denied",
        401,
        "That code no longer counts; a new one was sent.",
        "Enter the code of the newest message.",
    ),
    Reason.FACTOR_SPENT: Face(
        "access_denied", 401, "Too many codes were not right.", _PASSWORD_AGAIN
    ),
    Reason.FACTOR_ENDED: Face(
        "access_denied",
        401,
        "The sign-in has to begin again: its second step took too long or is over.",
        _PASSWORD_AGAIN,
    ),
    Reason.FACTOR_MISSING: Face(
        "access_denied",
        403,
        "This server asks for a second factor, and this account has none.",
        "Set up an authenticator for the account, then sign in again.",
    ),
    Reason.FACTOR_UNSUPPORTED: Face(
        "access_denied",
        403,
        "The second factor of this account is of a kind that does not work here.",
        "Add an authenticator app or a phone number to the account, then sign in again.",
    ),
    Reason.SOCIAL_UNKNOWN: Face(
        "invalid_request",
        400,
        "What came back from the provider belongs to no sign-in that is known here.",
        "Start again from your application. If it happens every time, whoever runs this server has "
        "to allow {allow} as a redirect URL where people sign in.",
    ),
    Reason.SOCIAL_USED: Face(
        "invalid_request",
        400,
        "This sign-in with {provider} has come back before, or took too long.",
        "Try again; nothing was lost.",
    ),
    Reason.SOCIAL_CANCELLED: Face(
        "access_denied",
        403,
        "The sign-in with {provider} was cancelled there.",
        "Try again, or sign in another way.",
    ),
    Reason.SOCIAL_RETRY: Face(
        "access_denied",
        403,
        "The sign-in with {provider} took too long or was interrupted.",
        "Try again; nothing was lost.",
    ),
    Reason.SOCIAL_FAILED: Face(
        "access_denied",
        403,
        "Signing in with {provider} did not succeed.",
        "Try again, or sign in another way; if it goes on, tell whoever runs this server.",
    ),
    Reason.SOCIAL_NO_ACCOUNT: Face(
        "access_denied",
        403,
        "There is no account here for that sign-in with {provider}.",
        "Use the way you signed up with, or ask whoever runs this server for an account.",
    ),
    Reason.SOCIAL_ANONYMOUS: Face(
        "access_denied",
        403,
        "An anonymous account cannot be used here.",
        "Add an e-mail address or a sign-in with {provider} to the account first.",
    ),
    Reason.SOCIAL_EMAIL_UNVERIFIED: Face(
        "access_denied",
        403,
        "{provider} has not verified the e-mail address of that account.",
        "Verify the address there, then try again.",
    ),
    Reason.SOCIAL_WRONG_PROVIDER: Face(
        "access_denied",
        403,
        "That sign-in does not belong to a {provider} account.",
        "Try again and choose the account you use here.",
    ),
    Reason.OAUTH_CODE_WRONG: Face(
        "access_denied",
        401,
        "The oauth_code is not one for this challenge_id and provider, or it was used or is older "
        "than five minutes.",
        "Open the provider's URL that oauth_authorize returned and use the code our page shows in "
        "the end; the challenge stays usable.",
    ),
    Reason.FORM_TOKEN: Face(
        "access_denied",
        403,
        "This form was not opened in this browser, or it is too old.",
        "Go back to your application and connect again; allow cookies for this site.",
    ),
    Reason.BROWSER_MISMATCH: Face(
        "access_denied", 403, "This sign-in was started in another browser.", _START_AGAIN
    ),
    Reason.INTERACTION_UNKNOWN: Face(
        "invalid_request", 400, "This sign-in is not known here.", _START_AGAIN
    ),
    Reason.INTERACTION_EXPIRED: Face(
        "invalid_request", 400, "This sign-in took too long and has expired.", _START_AGAIN
    ),
    Reason.INTERACTION_ANSWERED: Face(
        "invalid_request",
        400,
        "This sign-in was already answered.",
        "Return to your application; if it is not connected, connect again.",
    ),
    Reason.CHALLENGE_UNKNOWN: Face(
        "invalid_request",
        400,
        "The challenge_id is unknown or has expired.",
        "Call oauth_authorize again and use the challenge_id it returns.",
    ),
    Reason.CHALLENGE_ANSWERED: Face(
        "invalid_request",
        400,
        "The challenge_id was already answered.",
        "Call oauth_authorize again and use the challenge_id it returns.",
    ),
    Reason.PROVIDER_NOT_OFFERED: Face(
        "invalid_request",
        400,
        "Signing in with {provider} is not offered here.",
        "Use one of the ways that the sign-in page or oauth_authorize shows.",
    ),
    Reason.TOOL_PASSWORDS_OFF: Face(
        "access_denied",
        403,
        "This server takes no passwords through tools.",
        "Open the authorization_url that oauth_authorize returned in a browser and sign in there.",
    ),
    Reason.TOOL_SIGN_IN_UNCLEAR: Face(
        "invalid_request",
        400,
        "It is not clear how to sign in: {why}.",
        "With the challenge_id send username and password, or provider and oauth_code, or the "
        "mfa_code that was asked for; or open the authorization_url that oauth_authorize returned "
        "in a browser.",
    ),
    Reason.GRANT_TYPE_MISSING: Face(
        "invalid_request",
        400,
        "The parameter grant_type is missing.",
        "Send grant_type=authorization_code or grant_type=refresh_token.",
    ),
    Reason.GRANT_TYPE_UNKNOWN: Face(
        "unsupported_grant_type",
        400,
        "This grant type is not supported.",
        "Use authorization_code or refresh_token.",
    ),
    Reason.CODE_UNKNOWN: Face(
        "invalid_grant", 400, "The authorization code is not valid.", _NEW_AUTHORIZATION
    ),
    Reason.CODE_FOREIGN: Face(
        "invalid_grant", 400, "The authorization code is not valid.", _NEW_AUTHORIZATION
    ),
    Reason.CODE_EXPIRED: Face(
        "invalid_grant", 400, "The authorization code has expired.", _NEW_AUTHORIZATION
    ),
    Reason.CODE_REPLAYED: Face(
        "invalid_grant",
        400,
        "The authorization code was used before; its tokens are revoked.",
        _NEW_AUTHORIZATION,
    ),
    Reason.CODE_SPENT: Face(
        "invalid_grant",
        400,
        "The authorization code was tried too often with a wrong verifier.",
        _NEW_AUTHORIZATION,
    ),
    Reason.CODE_REDIRECT_URI: Face(
        "invalid_grant",
        400,
        "The redirect URI is not the one of the authorization request.",
        "Send the same redirect_uri as in the authorization request, or leave it out.",
    ),
    Reason.PKCE_VERIFIER_MISSING: Face(
        "invalid_grant",
        400,
        "PKCE verification failed: code_verifier is missing.",
        "Send the code_verifier whose S256 hash was the code_challenge.",
    ),
    Reason.PKCE_VERIFIER_MALFORMED: Face(
        "invalid_grant",
        400,
        "PKCE verification failed: code_verifier is not 43 to 128 unreserved characters.",
        "Make it with base64url(32 random bytes) without padding (RFC 7636 section 4.1).",
    ),
    Reason.PKCE_FAILED: Face(
        "invalid_grant",
        400,
        "PKCE verification failed: code_verifier does not match the code_challenge.",
        "Check that the code_verifier is the one made for this very authorization request.",
    ),
    Reason.REFRESH_UNKNOWN: Face(
        "invalid_grant", 400, "The refresh token is not valid.", _SIGN_IN_AGAIN
    ),
    Reason.REFRESH_FOREIGN: Face(
        "invalid_grant", 400, "The refresh token is not valid.", _SIGN_IN_AGAIN
    ),
    Reason.REFRESH_EXPIRED: Face(
        "invalid_grant", 400, "The refresh token has expired.", _SIGN_IN_AGAIN
    ),
    Reason.REFRESH_REPLAYED: Face(
        "invalid_grant",
        400,
        "The refresh token was used before; the connection has been ended.",
        _SIGN_IN_AGAIN,
    ),
    Reason.GRANT_ENDED: Face(
        "invalid_grant", 400, "The connection this token belongs to has been ended.", _SIGN_IN_AGAIN
    ),
    Reason.RECHECK_UNAVAILABLE: Face(
        "temporarily_unavailable",
        503,
        "It cannot be checked at the moment whether the person may still be connected.",
        "Try the same request again in a minute; nothing was lost.",
    ),
    Reason.TOKEN_MISSING: Face(
        "unauthorized",
        401,
        "This resource needs an access token.",
        "Follow resource_metadata in the WWW-Authenticate header to find the authorization server.",
    ),
    Reason.TOKEN_TWICE: Face(
        "invalid_request",
        400,
        "The access token was sent in more than one way.",
        "Send it once, as Authorization: Bearer.",
    ),
    Reason.TOKEN_MALFORMED: Face(
        "invalid_token", 401, "The access token is not one of this server.", _TOKEN_AGAIN
    ),
    Reason.TOKEN_SIGNATURE: Face(
        "invalid_token", 401, "The access token is not one of this server.", _TOKEN_AGAIN
    ),
    Reason.TOKEN_TYPE: Face(
        "invalid_token",
        401,
        "The token is not an access token.",
        "Send the access_token of the token response.",
    ),
    Reason.TOKEN_ISSUER: Face(
        "invalid_token", 401, "The access token comes from another issuer.", _TOKEN_AGAIN
    ),
    Reason.TOKEN_AUDIENCE: Face(
        "invalid_token",
        401,
        "The access token was issued for another resource.",
        "Ask for a token with resource={resource}.",
    ),
    Reason.TOKEN_EXPIRED: Face("invalid_token", 401, "The access token has expired.", _TOKEN_AGAIN),
    Reason.TOKEN_ENDED: Face(
        "invalid_token", 401, "The access token has been revoked.", _SIGN_IN_AGAIN
    ),
    Reason.SCOPE_INSUFFICIENT: Face(
        "insufficient_scope",
        403,
        "The access token lacks the scope for this operation.",
        "Authorize again with scope: {scope}.",
    ),
    Reason.ORIGIN_REFUSED: Face(
        "access_denied",
        403,
        "Requests from this web origin are not allowed.",
        "The operator can list the origin in AUTHGATE_ALLOWED_ORIGINS.",
    ),
    Reason.THROTTLED: Face(
        "slow_down", 429, "Too many requests.", "Wait {retry_after} seconds, then try again."
    ),
    Reason.STORE_UNAVAILABLE: Face(
        "temporarily_unavailable",
        503,
        "The server cannot reach its storage at the moment.",
        "Try the same request again in a few seconds; nothing was lost.",
        R,
    ),
    Reason.NOT_FOUND: Face(
        "not_found", 404, "There is nothing at this address.", "Check the address."
    ),
    Reason.METHOD_NOT_ALLOWED: Face(
        "invalid_request", 405, "This method is not allowed here.", "Use {allowed}."
    ),
    Reason.INTERNAL: Face(
        "server_error",
        500,
        "Something went wrong on our side.",
        "Try again; the operator finds the details in the log under the request id.",
        R,
    ),
}
