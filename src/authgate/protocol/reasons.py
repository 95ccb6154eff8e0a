"""Why something can be refused, and what a face of such a reason is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Reason(Enum):
    """Why something was refused. Internal: operators see it, callers see the table's sentence."""

    # the client
    CLIENT_MISSING = "client_missing"
    CLIENT_UNKNOWN = "client_unknown"
    CLIENT_SECRET_WRONG = "client_secret_wrong"
    CLIENT_AUTH_METHOD = "client_auth_method"
    CLIENT_AUTH_TWICE = "client_auth_twice"
    CLIENT_AUTH_MALFORMED = "client_auth_malformed"
    CLIENT_GRANT_NOT_ALLOWED = "client_grant_not_allowed"
    CLIENT_PUBLIC = "client_public"

    # registration
    REGISTRATION_MALFORMED = "registration_malformed"
    REGISTRATION_METADATA = "registration_metadata"
    REGISTRATION_REDIRECT_URI = "registration_redirect_uri"
    SOFTWARE_STATEMENT_MALFORMED = "software_statement_malformed"
    SOFTWARE_STATEMENT_UNAPPROVED = "software_statement_unapproved"

    # the request's form
    REQUEST_MALFORMED = "request_malformed"
    REQUEST_REPEATED = "request_repeated"
    REQUEST_TOO_LARGE = "request_too_large"
    CONTENT_TYPE = "content_type"
    PARAMETER_MISSING = "parameter_missing"
    PARAMETER_TOO_LONG = "parameter_too_long"
    PARAMETER_TYPE = "parameter_type"
    TOOL_UNKNOWN = "tool_unknown"

    # authorization
    REDIRECT_URI_MISSING = "redirect_uri_missing"
    REDIRECT_URI_UNREGISTERED = "redirect_uri_unregistered"
    RESPONSE_TYPE = "response_type"
    RESPONSE_MODE = "response_mode"
    REQUEST_OBJECT = "request_object"
    PKCE_MISSING = "pkce_missing"
    PKCE_METHOD = "pkce_method"
    PKCE_CHALLENGE_MALFORMED = "pkce_challenge_malformed"
    STATE_MISSING = "state_missing"
    STATE_MALFORMED = "state_malformed"
    SCOPE_MALFORMED = "scope_malformed"
    SCOPE_BEYOND_GRANT = "scope_beyond_grant"
    RESOURCE_UNKNOWN = "resource_unknown"
    RESOURCE_REPEATED = "resource_repeated"
    RESOURCE_BEYOND_GRANT = "resource_beyond_grant"
    ACCESS_DENIED = "access_denied"
    INTERACTION_REQUIRED = "interaction_required"

    # the person and the browser
    SIGN_IN_WRONG = "sign_in_wrong"
    SIGN_IN_THROTTLED = "sign_in_throttled"
    SIGN_IN_UNAVAILABLE = "sign_in_unavailable"
    SIGN_IN_NOT_OFFERED = "sign_in_not_offered"
    SIGN_IN_OVERTAKEN = "sign_in_overtaken"
    EMAIL_UNCONFIRMED = "email_unconfirmed"
    FACTOR_WRONG = "factor_wrong"
    FACTOR_SENT_AGAIN = "factor_sent_again"
    FACTOR_SPENT = "factor_spent"
    FACTOR_ENDED = "factor_ended"
    FACTOR_MISSING = "factor_missing"
    FACTOR_UNSUPPORTED = "factor_unsupported"
    SOCIAL_UNKNOWN = "social_unknown"
    SOCIAL_USED = "social_used"
    SOCIAL_CANCELLED = "social_cancelled"
    SOCIAL_RETRY = "social_retry"
    SOCIAL_FAILED = "social_failed"
    SOCIAL_NO_ACCOUNT = "social_no_account"
    SOCIAL_ANONYMOUS = "social_anonymous"
    SOCIAL_EMAIL_UNVERIFIED = "social_email_unverified"
    SOCIAL_WRONG_PROVIDER = "social_wrong_provider"
    SOCIAL_NOT_LINKED = "social_not_linked"
    SOCIAL_NOT_ALLOWED = "social_not_allowed"
    SOCIAL_FACTOR = "social_factor"
    OAUTH_CODE_WRONG = "oauth_code_wrong"
    FORM_TOKEN = "form_token"
    BROWSER_MISMATCH = "browser_mismatch"
    INTERACTION_UNKNOWN = "interaction_unknown"
    INTERACTION_EXPIRED = "interaction_expired"
    INTERACTION_ANSWERED = "interaction_answered"
    CHALLENGE_UNKNOWN = "challenge_unknown"
    CHALLENGE_ANSWERED = "challenge_answered"
    PROVIDER_NOT_OFFERED = "provider_not_offered"
    TOOL_PASSWORDS_OFF = "tool_passwords_off"
    TOOL_SIGN_IN_UNCLEAR = "tool_sign_in_unclear"

    # a login that AuthKit asked of us
    LOGIN_MALFORMED = "login_malformed"
    LOGIN_EMAIL_MISSING = "login_email_missing"
    LOGIN_EMAIL_TAKEN = "login_email_taken"
    LOGIN_EMAIL_CHANGE = "login_email_change"
    LOGIN_EMAIL_INVALID = "login_email_invalid"
    LOGIN_PERSON_GONE = "login_person_gone"
    LOGIN_COMPLETED_BEFORE = "login_completed_before"
    LOGIN_EXPIRED_THERE = "login_expired_there"
    LOGIN_KEY_REFUSED = "login_key_refused"
    LOGIN_MISCONFIGURED = "login_misconfigured"
    LOGIN_REJECTED = "login_rejected"
    LOGIN_THROTTLED = "login_throttled"
    LOGIN_UNAVAILABLE = "login_unavailable"
    LOGIN_LEADS_ELSEWHERE = "login_leads_elsewhere"
    WEBHOOK_NOT_GENUINE = "webhook_not_genuine"

    # the token endpoint
    GRANT_TYPE_MISSING = "grant_type_missing"
    GRANT_TYPE_UNKNOWN = "grant_type_unknown"
    CODE_UNKNOWN = "code_unknown"
    CODE_FOREIGN = "code_foreign"
    CODE_EXPIRED = "code_expired"
    CODE_REPLAYED = "code_replayed"
    CODE_SPENT = "code_spent"
    CODE_REDIRECT_URI = "code_redirect_uri"
    PKCE_VERIFIER_MISSING = "pkce_verifier_missing"
    PKCE_VERIFIER_MALFORMED = "pkce_verifier_malformed"
    PKCE_FAILED = "pkce_failed"
    REFRESH_UNKNOWN = "refresh_unknown"
    REFRESH_FOREIGN = "refresh_foreign"
    REFRESH_EXPIRED = "refresh_expired"
    REFRESH_REPLAYED = "refresh_replayed"
    GRANT_ENDED = "grant_ended"
    RECHECK_UNAVAILABLE = "recheck_unavailable"

    # the bearer token at a resource
    TOKEN_MISSING = "token_missing"
    TOKEN_TWICE = "token_twice"
    TOKEN_MALFORMED = "token_malformed"
    TOKEN_SIGNATURE = "token_signature"
    TOKEN_KEY_UNKNOWN = "token_key_unknown"
    TOKEN_TYPE = "token_type"
    TOKEN_ISSUER = "token_issuer"
    TOKEN_AUDIENCE = "token_audience"
    TOKEN_EXPIRED = "token_expired"
    TOKEN_ENDED = "token_ended"
    TOKEN_ISSUER_ELSEWHERE = "token_issuer_elsewhere"
    TOKEN_AUDIENCE_ELSEWHERE = "token_audience_elsewhere"
    TOKEN_PERSON_UNKNOWN = "token_person_unknown"
    TOKEN_PERSON_BARRED = "token_person_barred"
    SCOPE_INSUFFICIENT = "scope_insufficient"
    SCOPE_OF_TOOL = "scope_of_tool"
    ORIGIN_REFUSED = "origin_refused"

    # a credential from before there was OAuth
    LEGACY_OVER = "legacy_over"
    LEGACY_UNAVAILABLE = "legacy_unavailable"
    SUPABASE_TOKEN_REFUSED = "supabase_token_refused"
    API_KEY_UNKNOWN = "api_key_unknown"
    API_KEY_ENDED = "api_key_ended"

    # the MCP server behind the gateway
    MCP_BODY_MALFORMED = "mcp_body_malformed"
    MCP_AMBIGUOUS = "mcp_ambiguous"
    MCP_HEADER_MISMATCH = "mcp_header_mismatch"
    MCP_SESSION_UNKNOWN = "mcp_session_unknown"
    MCP_SESSION_MISSING = "mcp_session_missing"
    MCP_VERSION_UNKNOWN = "mcp_version_unknown"
    UPSTREAM_UNREACHABLE = "upstream_unreachable"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_BROKEN = "upstream_broken"
    UPSTREAM_REDIRECT = "upstream_redirect"
    UPSTREAM_BUSY = "upstream_busy"
    UPSTREAM_FULL = "upstream_full"
    UPSTREAM_NOT_STARTED = "upstream_not_started"
    UPSTREAM_DIED = "upstream_died"
    UPSTREAM_TOO_LONG = "upstream_too_long"
    STOPPING = "stopping"

    # an issuer elsewhere, asked for a client
    ISSUER_UNAVAILABLE = "issuer_unavailable"
    ISSUER_ANSWER = "issuer_answer"
    AUTHGATE_UNAVAILABLE = "authgate_unavailable"
    ISSUER_REGISTRATION_OFF = "issuer_registration_off"
    ISSUER_REGISTRATION = "issuer_registration"
    ISSUER_REDIRECT_URI = "issuer_redirect_uri"
    ISSUER_CLIENT = "issuer_client"
    ISSUER_GRANT = "issuer_grant"
    ISSUER_GRANT_TYPE = "issuer_grant_type"
    ISSUER_SCOPE = "issuer_scope"
    ISSUER_TARGET = "issuer_target"
    ISSUER_REQUEST = "issuer_request"

    # trouble of ours, throttles
    THROTTLED = "throttled"
    STORE_UNAVAILABLE = "store_unavailable"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    INTERNAL = "internal"


class Shown(Enum):
    """Where a refusal may be shown to the one who caused it."""

    HERE = "here"  # in the answer to this very request: JSON body or page
    REDIRECT = "redirect"  # may also travel to a proven redirect URI


@dataclass(frozen=True, slots=True)
class Face:
    """The outside of a reason. `sentence` and `hint` may hold `{name}` fields of the refusal."""

    code: str
    status: int
    sentence: str
    hint: str
    shown: Shown = Shown.HERE
