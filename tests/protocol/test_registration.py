"""Client registration: real clients come through, and nothing misleads a person or a parser."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.records import Client
from authgate.protocol.registration import (
    MAX_JWKS,
    MAX_NAME,
    MAX_REDIRECT_URIS,
    MAX_TEXT,
    Registration,
    answer,
    displayable,
    judge,
)
from tests.clauses import clause
from tests.protocol.making import NOW, REDIRECT, a_client, refused, result_of

OFFERED = ("mcp:use", "mcp:admin")
CURSOR = (
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "https://www.cursor.com/agents/mcp/oauth/callback",
    "http://localhost:8787/callback",
)
VSCODE = (
    "https://insiders.vscode.dev/redirect",
    "https://vscode.dev/redirect",
    "http://127.0.0.1/",
    "http://127.0.0.1:33418/",
)
JWK = {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AQ", "key_ops": ["verify"], "ext": True}


def register(document: object, schemes: tuple[str, ...] = ("cursor",)) -> Registration:
    return judge(document, private_schemes=schemes, offered=OFFERED)


def with_(**members: object) -> dict[str, object]:
    return {"redirect_uris": [REDIRECT], **members}


# --- real clients ---------------------------------------------------------------------------------


@clause("RFC 7591", "2")
def test_the_guides_registration_is_accepted_as_it_stands() -> None:
    judged = register(
        {
            "client_name": "My MCP Client",
            "redirect_uris": ["http://localhost:3000/callback"],
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
        }
    )
    assert judged.name == "My MCP Client"
    assert judged.auth_method == "client_secret_basic"
    assert judged.application_type == "native"


@clause("RFC 7591", "2")
def test_cursors_three_uris_are_kept_where_its_scheme_is_listed() -> None:
    document = {
        "client_name": "Cursor",
        "redirect_uris": list(CURSOR),
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    }
    assert register(document).redirect_uris == CURSOR
    assert register(document, schemes=()).redirect_uris == CURSOR[1:]


@clause("RFC 7591", "2")
def test_vs_codes_four_uris_are_kept() -> None:
    judged = register(
        {
            "client_name": "Visual Studio Code",
            "client_uri": "https://code.visualstudio.com",
            "grant_types": [
                "authorization_code",
                "refresh_token",
                "urn:ietf:params:oauth:grant-type:device_code",
            ],
            "response_types": ["code"],
            "redirect_uris": list(VSCODE),
            "token_endpoint_auth_method": "none",
        }
    )
    assert judged.redirect_uris == VSCODE
    assert judged.grant_types == ("authorization_code", "refresh_token")
    assert judged.application_type == "web"


@clause("RFC 7591", "2")
def test_members_nobody_knows_are_ignored() -> None:
    judged = register(
        with_(
            code_challenge_method="S256",  # Gemini CLI
            client_id="mine",
            client_secret="mine",
            skip_consent=True,
            self_registered=False,
            subject_type="public",
            response_modes={"deep": [[1, 2], None]},
            **{"client_name#ja": "クライアント"},
        )
    )
    assert judged.metadata == {}
    assert "mine" not in repr(judged)


@pytest.mark.parametrize(
    "uri",
    [
        "https://claude.ai/api/mcp/auth_callback",
        "https://claude.com/api/mcp/auth_callback",
        "https://chatgpt.com/connector/oauth/AbC-123_x",
        "https://chatgpt.com/connector_platform_oauth_redirect",
        "https://global.consent.azure-apim.net/redirect/x-5f1c",
    ],
)
@clause("RFC 7591", "2")
def test_hosted_callbacks_come_as_they_are(uri: str) -> None:
    assert register({"redirect_uris": [uri]}).redirect_uris == (uri,)


@clause("RFC 7591", "2")
def test_the_defaults_are_those_of_the_rfc() -> None:
    judged = register({"redirect_uris": [REDIRECT]})
    assert judged.auth_method == "client_secret_basic"
    assert judged.grant_types == ("authorization_code",)
    assert judged.response_types == ("code",)
    assert judged.scopes == OFFERED
    assert judged.application_type == "web"
    assert judged.name is None


@pytest.mark.parametrize("unset", [None, "", []])
@clause("RFC 7591", "2")
def test_null_and_empty_mean_not_set(unset: object) -> None:
    members = (
        *("client_name", "client_uri", "logo_uri", "tos_uri", "policy_uri", "scope", "contacts"),
        *("grant_types", "response_types", "token_endpoint_auth_method", "application_type"),
        *("jwks", "jwks_uri", "software_id", "software_version", "software_statement"),
    )
    assert register(with_(**dict.fromkeys(members, unset))) == register(with_())


# --- redirect URIs --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        *(None, [], "", "https://app.example/cb", {}, {"0": REDIRECT}, 1, True),
        *([None], [1], [[REDIRECT]], [{}], [""], [REDIRECT, None], [REDIRECT, 7]),
    ],
)
@clause("RFC 7591", "3.2.2")
def test_redirect_uris_are_a_list_of_uris(value: object) -> None:
    with refused(Reason.REGISTRATION_REDIRECT_URI) as caught:
        register({"redirect_uris": value})
    assert caught.value.code == "invalid_redirect_uri"


@pytest.mark.parametrize(
    "bad",
    [
        *("https://a.example/cb#x", "https://*.example/cb", "https://u@a.example/", "data:x"),
        *("https://a.example/../cb", "javascript:alert(1)", "file:///x", "http://a.example/cb"),
    ],
)
@clause("OAuth 2.1", "2.3.1")
def test_one_bad_uri_refuses_the_registration(bad: str) -> None:
    for uris in ([bad], [REDIRECT, bad], [bad, REDIRECT], [*CURSOR, bad]):
        with refused(Reason.REGISTRATION_REDIRECT_URI):
            register({"redirect_uris": uris})


@clause("RFC 8252", "7.1")
def test_an_unlisted_scheme_alone_leaves_nothing_to_register() -> None:
    with refused(Reason.REGISTRATION_REDIRECT_URI) as caught:
        register({"redirect_uris": ["myapp://cb", "other:cb"]})
    assert "private-use" in caught.value.sentence
    assert register({"redirect_uris": ["myapp://cb", REDIRECT]}).redirect_uris == (REDIRECT,)


@clause("RFC 7591", "5")
def test_redirect_uris_are_bounded_and_each_kept_once() -> None:
    uris = [f"https://a.example/{number}" for number in range(MAX_REDIRECT_URIS)]
    assert register({"redirect_uris": uris}).redirect_uris == tuple(uris)
    with refused(Reason.REGISTRATION_REDIRECT_URI):
        register({"redirect_uris": [*uris, REDIRECT]})
    assert register({"redirect_uris": [REDIRECT, REDIRECT]}).redirect_uris == (REDIRECT,)


# --- every other member ---------------------------------------------------------------------------

BAD_MEMBERS: list[tuple[str, object]] = [
    *(("token_endpoint_auth_method", bad) for bad in ("private_key_jwt", "NONE", 1, ["none"], {})),
    *(("grant_types", bad) for bad in ("authorization_code", ["implicit"], ["refresh_token"])),
    *(("grant_types", bad) for bad in ([1], [None], [["authorization_code"]], {}, 5, ["x"] * 21)),
    *(("response_types", bad) for bad in ("code", ["token"], ["code token"], [1], [["code"]], 7)),
    *(("scope", bad) for bad in (["mcp:use"], 5, 'a"b', "a\tb", "ü", "x" * 2049, {}, False)),
    *(("application_type", bad) for bad in ("desktop", "WEB", 1, ["web"], {})),
    *(("client_name", bad) for bad in (1, ["App"], {}, True, 10**400, 1.5)),
    ("client_name", "x" * (MAX_NAME + 1)),
    *(
        ("client_name", "App" + bad)
        for bad in ("\x00", "\n", "\r", "\t", "\x1b[31m", "\x7f", "\x85", "\u202e", "\u200f")
    ),
    *(
        ("client_name", bad + "App")
        for bad in ("\u2066", "\u2028", "\u2029", "\u200b", "\u200d", "\ufeff", "\ue000", "\ud800")
    ),
    *(
        (member, bad)
        for member in ("client_uri", "logo_uri", "tos_uri", "policy_uri")
        for bad in ("javascript:alert(1)", "data:image/png,x", "file:///x", "app.example", "//x")
    ),
    *(
        (member, bad)
        for member in ("client_uri", "logo_uri", "jwks_uri")
        for bad in ("https://u:p@app.example/", "https://", "https:///x", "https://a b/", 5, ["x"])
    ),
    ("logo_uri", "https://app.example/\u202egpj.exe"),
    ("client_uri", "https://app.example/" + "a" * MAX_TEXT),
    ("jwks_uri", "http://app.example/jwks"),
    ("software_id", 7),
    ("software_id", "x" * (MAX_TEXT + 1)),
    ("software_version", "1\n2"),
    ("software_version", 1.0),
    *(("contacts", bad) for bad in ("me@app.example", [1], [["x"]], ["x" * 321], ["a\u202e"])),
    ("contacts", ["x"] * 21),
    *(("jwks", bad) for bad in ("x", ["x"], {}, {"keys": {}}, {"keys": [1]}, {"keys": [[JWK]]}, 3)),
    *(
        ("jwks", {"keys": [{**JWK, private: "AA"}]})
        for private in ("d", "p", "q", "dp", "dq", "qi", "k")
    ),
    ("jwks", {"keys": [{**JWK, "oth": [{"r": "AA"}]}]}),
    ("jwks", {"keys": [{**JWK, "x": "A" * MAX_JWKS}]}),
    *(("jwks", {"keys": [{**JWK, "x": bad}]}) for bad in (None, 2**70, 1.5, {"a": 1}, "\ud800")),
    ("jwks", {"keys": [{**JWK, "\ud800": "x"}]}),
]


@pytest.mark.parametrize(("member", "bad"), BAD_MEMBERS, ids=lambda value: ascii(value)[:40])
@clause("RFC 7591", "3.2.2")
def test_a_bad_member_is_named_and_refused(member: str, bad: object) -> None:
    with refused(Reason.REGISTRATION_METADATA) as caught:
        register(with_(**{member: bad}))
    assert caught.value.code == "invalid_client_metadata"
    assert caught.value.face.status == 400
    assert member in caught.value.sentence
    assert member in caught.value.hint


GOOD_MEMBERS: list[tuple[str, object]] = [
    ("client_name", "x" * MAX_NAME),
    ("client_name", "Bücher – 書籍 🙂 (dev)"),
    ("client_uri", "https://app.example"),
    ("logo_uri", "HTTP://app.example:8080/logo.png?x=1#y"),
    ("policy_uri", "https://app.example/" + "a" * (MAX_TEXT - 20)),
    ("jwks_uri", "HTTPS://app.example/jwks"),
    ("jwks", {"keys": [JWK]}),
    ("jwks", {"keys": [{**JWK, "exp": 1_900_000_000}]}),
    ("contacts", ["me@app.example", "Büro <b@app.example>"]),
    ("software_id", "4NRB1-0XZABZI9E6-5SM3R"),
    ("software_version", "2.1"),
]


@pytest.mark.parametrize(("member", "good"), GOOD_MEMBERS)
@clause("RFC 7591", "3.2.1")
def test_a_good_member_is_echoed_as_it_came(member: str, good: object) -> None:
    assert answer(_registered(register(with_(**{member: good}))), None)[member] == good


@clause("RFC 7517", "5")
def test_of_a_key_set_only_the_keys_are_kept() -> None:
    deep: object = "x"
    for _ in range(600):
        deep = [deep]
    judged = register(with_(jwks={"keys": [JWK], "extra": deep}))
    assert judged.metadata["jwks"] == {"keys": [JWK]}


@pytest.mark.parametrize("depth", [2, 300, 900])
@clause("RFC 7591", "3.2.2")
def test_a_key_set_of_any_depth_is_refused_and_breaks_nothing(depth: int) -> None:
    deep: object = "x"
    for _ in range(depth):
        deep = [deep]
    for jwks in ({"keys": [{**JWK, "x": deep}]}, {"keys": [deep]}, {"keys": deep}):
        with refused(Reason.REGISTRATION_METADATA):
            register(with_(jwks=jwks))


@clause("RFC 7591", "2")
def test_jwks_and_jwks_uri_exclude_each_other() -> None:
    with refused(Reason.REGISTRATION_METADATA):
        register(with_(jwks={"keys": [JWK]}, jwks_uri="https://app.example/jwks"))


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("aaa.bbb.ccc", Reason.SOFTWARE_STATEMENT_UNAPPROVED),
        ("aaa.bbb.", Reason.SOFTWARE_STATEMENT_UNAPPROVED),
        ("aaa.bbb", Reason.SOFTWARE_STATEMENT_MALFORMED),
        ("x", Reason.SOFTWARE_STATEMENT_MALFORMED),
        (5, Reason.SOFTWARE_STATEMENT_MALFORMED),
        ({"a": 1}, Reason.SOFTWARE_STATEMENT_MALFORMED),
    ],
)
@clause("RFC 7591", "3.2.2")
def test_a_software_statement_never_looks_accepted(statement: object, reason: Reason) -> None:
    with refused(reason) as caught:
        register(with_(software_statement=statement))
    assert caught.value.code.endswith("_software_statement")


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (["authorization_code"], ("authorization_code",)),
        (["refresh_token", "authorization_code"], ("authorization_code", "refresh_token")),
        (["authorization_code", "implicit", "password"], ("authorization_code",)),
        (["authorization_code"] * 20, ("authorization_code",)),
    ],
)
@clause("RFC 7591", "2")
def test_grant_types_we_lack_are_left_out(asked: list[str], kept: tuple[str, ...]) -> None:
    assert register(with_(grant_types=asked)).grant_types == kept


@clause("RFC 7591", "2.1")
def test_response_types_agree_with_the_grant_types() -> None:
    assert register(with_(response_types=["token", "code"])).response_types == ("code",)


@pytest.mark.parametrize(
    ("scope", "kept"),
    [
        ("mcp:admin", ("mcp:admin",)),
        ("openid email profile", OFFERED),
        ("mcp:use openid offline_access", ("mcp:use", "offline_access")),
        (" ", OFFERED),
    ],
)
@clause("RFC 7591", "2")
def test_unknown_scopes_are_left_out(scope: str, kept: tuple[str, ...]) -> None:
    assert register(with_(scope=scope)).scopes == kept


@pytest.mark.parametrize(
    ("uris", "kind"),
    [
        (["http://localhost:1/cb"], "native"),
        (["http://127.0.0.1/cb", "cursor://x"], "native"),
        (["http://127.0.0.1/cb", REDIRECT], "web"),
        ([REDIRECT], "web"),
    ],
)
@clause("OpenID Connect Registration", "2")
def test_the_application_type_is_guessed_unless_it_is_sent(uris: list[str], kind: str) -> None:
    assert register({"redirect_uris": uris}).application_type == kind
    for sent in ("web", "native"):
        document = {"redirect_uris": uris, "application_type": sent}
        assert register(document).application_type == sent


# --- the answer -----------------------------------------------------------------------------------


def _registered(judged: Registration) -> Client:
    return Client(
        client_id="client_x",
        redirect_uris=judged.redirect_uris,
        auth_method=judged.auth_method,
        grant_types=judged.grant_types,
        response_types=judged.response_types,
        scopes=judged.scopes,
        application_type=judged.application_type,
        name=judged.name,
        metadata=judged.metadata,
        issued_at=NOW,
    )


@clause("RFC 7591", "3.2.1")
def test_the_answer_names_everything_registered_defaults_included() -> None:
    body = answer(_registered(register(with_(client_name="App", logo_uri="https://a.b/c"))), "shh")
    assert body == {
        "client_id": "client_x",
        "client_id_issued_at": NOW,
        "client_secret": "shh",
        "client_secret_expires_at": 0,
        "redirect_uris": [REDIRECT],
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "application_type": "web",
        "scope": "mcp:use mcp:admin",
        "client_name": "App",
        "logo_uri": "https://a.b/c",
    }


@clause("RFC 7591", "3.2.1")
def test_a_public_client_gets_no_secret_and_no_nulls() -> None:
    body = answer(a_client(name=None), None)
    assert not {"client_secret", "client_secret_expires_at", "client_name"} & body.keys()
    assert None not in body.values()


@clause("RFC 7591", "3.2.1")
def test_no_member_can_replace_what_the_server_decided() -> None:
    sent = with_(client_id="evil", client_id_issued_at=0, client_secret_expires_at=9, scope="x")
    body = answer(_registered(register(sent)), "shh")
    assert body["client_id"] == "client_x"
    assert body["client_secret_expires_at"] == 0


# --- anything at all ------------------------------------------------------------------------------

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
MEMBERS = st.sampled_from(
    [
        *("redirect_uris", "client_name", "grant_types", "response_types", "scope", "contacts"),
        *("token_endpoint_auth_method", "application_type", "client_uri", "logo_uri", "jwks"),
        *("jwks_uri", "software_id", "software_statement", "x"),
    ]
)
CODES = {
    *("invalid_client_metadata", "invalid_redirect_uri"),
    *("invalid_software_statement", "unapproved_software_statement"),
}


@given(JSON)
@clause("RFC 7591", "3.2.2")
def test_any_json_is_refused_or_registered(document: object) -> None:
    judged = result_of(lambda: register(document))
    assert isinstance(judged, Refusal)  # no document without redirect URIs is a registration
    assert judged.code in CODES


@given(st.dictionaries(MEMBERS, JSON))
@clause("RFC 7591", "3.2.2")
def test_any_members_beside_a_good_uri_are_refused_or_echoed(members: dict[str, object]) -> None:
    judged = result_of(lambda: register({**members, "redirect_uris": [REDIRECT]}))
    if isinstance(judged, Refusal):
        assert judged.code in CODES
        return
    body = answer(_registered(judged), "shh")
    assert json.loads(json.dumps(body, allow_nan=False)) == body


@given(st.text(max_size=60))
@clause("RFC 7591", "5")
def test_a_shown_text_holds_nothing_invisible(text: str) -> None:
    if displayable(text):
        assert all(c == " " or c.isprintable() or c.isspace() for c in text)
        assert not set(text) & set(
            "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200e\u200f\u061c\n\r"
        )
