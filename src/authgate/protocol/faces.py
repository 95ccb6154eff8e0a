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
_CONNECT = (
    "Connect with OAuth: follow resource_metadata in the WWW-Authenticate header to find the "
    "authorization server."
)
_TELL_OPERATOR = (
    "Tell whoever runs this server: the log says what is wrong. Then start again from your "
    "application."
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
    Reason.SIGN_IN_OVERTAKEN: Face(
        "access_denied",
        403,
        "While you signed in, this account was signed out everywhere.",
        "Sign in once more.",
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
        "to allow {callback} as a redirect URL where people sign in (at Supabase with ** after it, "
        "as a query follows).",
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
    Reason.SOCIAL_NOT_LINKED: Face(
        "access_denied",
        403,
        "It cannot be told whose account here that sign-in with {provider} belongs to.",
        "Sign in with your password instead, or ask whoever runs this server.",
    ),
    Reason.SOCIAL_NOT_ALLOWED: Face(
        "access_denied",
        403,
        "The organization of that account does not allow signing in with {provider}.",
        "Sign in the way your organization asks for, or ask whoever runs this server.",
    ),
    Reason.SOCIAL_FACTOR: Face(
        "access_denied",
        403,
        "Your account asks for a second factor, and the sign-in with {provider} does not have it.",
        "Sign in with your password and your code instead.",
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
    Reason.LOGIN_MALFORMED: Face(
        "invalid_request",
        400,
        "AuthKit did not say which sign-in this is: {why}.",
        _START_AGAIN,
    ),
    Reason.LOGIN_EMAIL_MISSING: Face(
        "access_denied",
        403,
        "AuthKit needs an e-mail address, and this account has none that was confirmed.",
        "Add an e-mail address to the account and confirm it, or use another account.",
    ),
    Reason.LOGIN_EMAIL_TAKEN: Face(
        "access_denied",
        403,
        "AuthKit knows the e-mail address of this account as somebody else's.",
        "Use another account, or tell whoever runs this server: they can join the two.",
    ),
    Reason.LOGIN_EMAIL_CHANGE: Face(
        "access_denied",
        403,
        "AuthKit does not let the e-mail address of this account change.",
        "Tell whoever runs this server, or use another account.",
    ),
    Reason.LOGIN_EMAIL_INVALID: Face(
        "access_denied",
        403,
        "AuthKit does not take the e-mail address of this account.",
        "Use another account, or give this one another address.",
    ),
    Reason.LOGIN_PERSON_GONE: Face(
        "access_denied",
        403,
        "This account cannot be used any more, and you were signed out.",
        "Use another account.",
    ),
    Reason.LOGIN_COMPLETED_BEFORE: Face(
        "invalid_request",
        400,
        "AuthKit has been told before who signs in here.",
        "Return to your application; if it is not connected, start again from there.",
    ),
    Reason.LOGIN_EXPIRED_THERE: Face(
        "invalid_request",
        400,
        "AuthKit no longer waits for this sign-in: it took too long, or is not known there.",
        _START_AGAIN,
    ),
    Reason.LOGIN_KEY_REFUSED: Face(
        "temporarily_unavailable",
        503,
        "AuthKit did not believe this server, so nobody can sign in at the moment.",
        _TELL_OPERATOR,
    ),
    Reason.LOGIN_MISCONFIGURED: Face(
        "server_error",
        500,
        "AuthKit and this server are not set up to work together.",
        _TELL_OPERATOR,
    ),
    Reason.LOGIN_REJECTED: Face(
        "server_error",
        500,
        "AuthKit did not understand what this server told it.",
        _TELL_OPERATOR,
    ),
    Reason.LOGIN_THROTTLED: Face(
        "slow_down",
        429,
        "AuthKit is asked too often at the moment.",
        "Wait {retry_after} seconds, then try again; nothing was lost.",
    ),
    Reason.LOGIN_UNAVAILABLE: Face(
        "temporarily_unavailable",
        503,
        "AuthKit does not answer at the moment.",
        "Try again in a few seconds; nothing was lost.",
    ),
    Reason.LOGIN_LEADS_ELSEWHERE: Face(
        "server_error",
        500,
        "The way back does not lead to AuthKit, so you are not sent there.",
        _TELL_OPERATOR,
    ),
    Reason.WEBHOOK_NOT_GENUINE: Face(
        "invalid_request",
        400,
        "This is no event that WorkOS has just signed for this address: {why}.",
        "Set WORKOS_WEBHOOK_SECRET to the secret of this very endpoint, and check the clock.",
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
    Reason.TOKEN_KEY_UNKNOWN: Face(
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
    Reason.TOKEN_ISSUER_ELSEWHERE: Face(
        "invalid_token",
        401,
        "The access token was issued by {came}; this server takes those of {expected}.",
        "Get one from {expected}, and compare WORKOS_AUTHKIT_DOMAIN with the issuer in its "
        "metadata; a session token of WorkOS User Management is no access token.",
    ),
    Reason.TOKEN_AUDIENCE_ELSEWHERE: Face(
        "invalid_token",
        401,
        "The access token was issued for {came}; this server is {expected}.",
        "Ask for a token with resource={expected}, and register exactly that as a resource "
        "indicator in the WorkOS dashboard (Connect, Configuration). For clients that name no "
        "resource there is AUTHGATE_ACCEPT_CLIENT_ID_AUDIENCE.",
    ),
    Reason.TOKEN_PERSON_UNKNOWN: Face(
        "invalid_token",
        401,
        "This server does not know {sub} for whom the access token speaks.",
        "Start a new authorization request so that the person signs in at this server; where "
        "AuthKit does not ask for that, sign out there first.",
    ),
    Reason.TOKEN_PERSON_BARRED: Face(
        "invalid_token",
        401,
        "The person behind this access token has to sign in again.",
        "Start a new authorization request; where AuthKit does not ask for a sign-in, sign out "
        "there first.",
    ),
    Reason.SCOPE_INSUFFICIENT: Face(
        "insufficient_scope",
        403,
        "The access token lacks the scope for this operation.",
        "Authorize again with scope: {scope}.",
    ),
    Reason.SCOPE_OF_TOOL: Face(
        "insufficient_scope",
        403,
        "This tool takes a scope that was not granted.",
        "Authorize again with scope: {scope}. An API key has the scopes it was given; ask the "
        "operator for another.",
    ),
    Reason.ORIGIN_REFUSED: Face(
        "access_denied",
        403,
        "Requests from this web origin are not allowed.",
        "The operator can list the origin in AUTHGATE_ALLOWED_ORIGINS.",
    ),
    Reason.LEGACY_OVER: Face(
        "invalid_token",
        401,
        "{what} have not been accepted here since {since}.",
        _CONNECT,
    ),
    Reason.LEGACY_UNAVAILABLE: Face(
        "temporarily_unavailable",
        503,
        "Supabase cannot be asked about this access token at the moment.",
        "Try the same request again in a few seconds; nothing was lost.",
    ),
    Reason.SUPABASE_TOKEN_REFUSED: Face(
        "invalid_token",
        401,
        "Supabase does not stand by this access token: it has expired, or its person is gone.",
        "Get a new one where this one comes from, or connect with OAuth (resource_metadata in the "
        "WWW-Authenticate header).",
    ),
    Reason.API_KEY_UNKNOWN: Face(
        "invalid_token", 401, "The API key is not one of this server.", _CONNECT
    ),
    Reason.API_KEY_ENDED: Face(
        "invalid_token", 401, "The API key was revoked, or has expired.", _CONNECT
    ),
    Reason.MCP_BODY_MALFORMED: Face(
        "invalid_request",
        400,
        "The body is not JSON.",
        "Send one JSON-RPC message in UTF-8 as the body.",
    ),
    Reason.MCP_AMBIGUOUS: Face(
        "invalid_request",
        400,
        "The body can be read in more than one way: {why}.",
        "Send one JSON-RPC message as plain JSON in UTF-8, with every member once and under its "
        "exact name.",
    ),
    Reason.MCP_HEADER_MISMATCH: Face(
        "invalid_request",
        400,
        "Header mismatch: {header} does not say what the body says.",
        "Send Mcp-Method, Mcp-Name and MCP-Protocol-Version with the values of the body.",
    ),
    Reason.MCP_SESSION_UNKNOWN: Face(
        "not_found",
        404,
        "There is no such session.",
        "Start a new session with initialize, without Mcp-Session-Id.",
    ),
    Reason.MCP_SESSION_MISSING: Face(
        "invalid_request",
        400,
        "The request names no session.",
        "Begin with initialize, and send the Mcp-Session-Id of its answer with every request.",
    ),
    Reason.MCP_VERSION_UNKNOWN: Face(
        "invalid_request",
        400,
        "The MCP server behind this gateway does not speak this revision of the protocol.",
        "Begin a session with initialize and one of the revisions in supported.",
    ),
    Reason.UPSTREAM_UNREACHABLE: Face(
        "upstream_error",
        502,
        "The MCP server behind this gateway cannot be reached; nothing was sent to it.",
        "Try again in a moment; the operator finds the cause in the log.",
    ),
    Reason.UPSTREAM_TIMEOUT: Face(
        "upstream_error",
        504,
        "The MCP server behind this gateway did not begin to answer within {seconds} seconds.",
        "Find out what the call did before you repeat it; the operator can raise "
        "AUTHGATE_UPSTREAM_TIMEOUT.",
    ),
    Reason.UPSTREAM_BROKEN: Face(
        "upstream_error",
        502,
        "The MCP server behind this gateway ended the connection before it answered properly.",
        "Find out what the call did before you repeat it; the operator finds the cause in the log.",
    ),
    Reason.UPSTREAM_REDIRECT: Face(
        "upstream_error",
        502,
        "The MCP server behind this gateway answered with a redirect, which is not passed on.",
        "The operator has to set AUTHGATE_UPSTREAM to the exact address of the server.",
    ),
    Reason.UPSTREAM_BUSY: Face(
        "temporarily_unavailable",
        503,
        "Too many of {whose} calls and streams are open.",
        "Wait {retry_after} seconds, or end a stream; nothing was sent.",
    ),
    Reason.UPSTREAM_FULL: Face(
        "temporarily_unavailable",
        503,
        "Too many of {whose} programs run, and none of them is idle.",
        "Wait {retry_after} seconds, or end a session; nothing was sent.",
    ),
    Reason.UPSTREAM_NOT_STARTED: Face(
        "upstream_error",
        502,
        "The MCP server behind this gateway does not start.",
        "Try again in {retry_after} seconds; the operator finds the cause in the log.",
    ),
    Reason.UPSTREAM_DIED: Face(
        "upstream_error",
        502,
        "The MCP server behind this gateway ended before it answered.",
        "Find out what the call did before you repeat it; the operator finds the cause in the log.",
    ),
    Reason.UPSTREAM_TOO_LONG: Face(
        "upstream_error",
        502,
        "The answer of the MCP server behind this gateway is too long.",
        "Ask for less at once; the operator can raise AUTHGATE_UPSTREAM_BODY_LIMIT.",
    ),
    Reason.STOPPING: Face(
        "temporarily_unavailable",
        503,
        "This server stops, and the call was not done in time.",
        "Find out what the call did before you repeat it in a few seconds.",
    ),
    Reason.ISSUER_UNAVAILABLE: Face(
        "temporarily_unavailable",
        503,
        "AuthKit, which issues the tokens, cannot be asked at the moment.",
        "Try the same request again in a few seconds.",
    ),
    Reason.AUTHGATE_UNAVAILABLE: Face(
        "temporarily_unavailable",
        503,
        "The authgate that issues the tokens cannot be asked at the moment.",
        "Try the same request again in a few seconds; the access token is still good.",
    ),
    Reason.ISSUER_ANSWER: Face(
        "server_error",
        502,
        "AuthKit, which issues the tokens, gave an answer that cannot be used.",
        "Start again with a new authorization request; if it happens again, tell the operator.",
    ),
    Reason.ISSUER_REGISTRATION_OFF: Face(
        "access_denied",
        403,
        "AuthKit registers no clients: dynamic client registration is switched off there.",
        "The operator can switch it on in the WorkOS dashboard: Connect, Configuration, Dynamic "
        "Client Registration. A client_id that AuthKit knows already needs no registration.",
    ),
    Reason.ISSUER_REGISTRATION: Face(
        "invalid_client_metadata",
        400,
        "AuthKit did not register the client: {said}.",
        "Correct the client metadata (RFC 7591) and register again.",
    ),
    Reason.ISSUER_REDIRECT_URI: Face(
        "invalid_redirect_uri",
        400,
        "AuthKit does not take the redirect URI: {said}.",
        "Use an https URI, or http on a loopback host, exactly as it is registered.",
    ),
    Reason.ISSUER_CLIENT: Face(
        "invalid_client",
        401,
        "Invalid client: AuthKit says {said}.",
        "Check client_id and client_secret, or register the client again.",
    ),
    Reason.ISSUER_GRANT: Face(
        "invalid_grant",
        400,
        "AuthKit does not take the code or refresh token: {said}.",
        "A code works once, within minutes, with its own code_verifier, redirect_uri and "
        "client_id. Send the newest refresh token, or start a new authorization request.",
    ),
    Reason.ISSUER_GRANT_TYPE: Face(
        "unauthorized_client",
        400,
        "AuthKit does not let this client use the grant type: {said}.",
        "Register the client for authorization_code, and for refresh_token if it is to refresh.",
    ),
    Reason.ISSUER_SCOPE: Face(
        "invalid_scope",
        400,
        "AuthKit does not grant the scope: {said}.",
        "Leave scope out, or ask for openid profile email offline_access.",
    ),
    Reason.ISSUER_TARGET: Face(
        "invalid_target",
        400,
        "AuthKit does not know the resource: {said}.",
        "The operator has to register exactly {resource} as a resource indicator in the WorkOS "
        "dashboard (Connect, Configuration).",
    ),
    Reason.ISSUER_REQUEST: Face(
        "invalid_request",
        400,
        "AuthKit refused the request: {said}.",
        "Correct the request and send it again.",
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
