"""The holes published for servers of this kind, each tried on this one.

docs/security.md lists every advisory with the test that shows it; here are those no other room's
tests show. Names in docstrings are the advisories'.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import authgate
from authgate import app as application
from tests.clauses import clause
from tests.endpoints.conftest import OpenGate
from tests.endpoints.gate import Gate, Pkce, hidden, posted

SOURCE = Path(authgate.__file__).parent
METHODS = ("none", "client_secret_post", "client_secret_basic")


def test_no_url_reaches_a_shell() -> None:
    """CVE-2025-6514: mcp-remote handed a stranger's URL to a shell. Nothing here opens a URL, and
    nothing starts a program through a shell."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = {
                *([alias.name for alias in node.names] if isinstance(node, ast.Import) else []),
                *([node.module] if isinstance(node, ast.ImportFrom) else []),
            }
            assert "webbrowser" not in names, path
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in {"os.system", "os.popen", "eval", "exec"}, path
                assert not [word for word in node.keywords if word.arg == "shell"], path


@clause("RFC 9700", "4.8")
@pytest.mark.parametrize("method", METHODS)
async def test_a_code_without_its_verifier_buys_nothing(gate: Gate, method: str) -> None:
    """CVE-2025-4144: leaving PKCE out at the end; promise 3 for confidential clients too."""
    client = await gate.register(token_endpoint_auth_method=method)
    basic = method == "client_secret_basic"
    auth = (client["client_id"], client["client_secret"]) if basic else None
    pkce = Pkce()
    code = await gate.code(client, pkce)
    form = {"grant_type": "authorization_code", "code": code, **({} if basic else posted(client))}
    for verifier in (None, "", pkce.challenge, "a" * 43, "a" * 42, "a" * 129, "ä" * 43):
        answer = await gate.token(auth=auth, **form, code_verifier=verifier)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant"), verifier
    async with gate.http() as http:
        for challenge, how in ((None, None), (None, "S256"), (pkce.challenge, "plain")):
            asked = gate.question(client, pkce, code_challenge=challenge, code_challenge_method=how)
            answer = await http.get("/oauth/authorize", params=asked)
            assert "code=" not in answer.headers.get("location", "")
            assert "error=invalid_request" in answer.headers["location"]


@clause("OAuth 2.1", "4.3")
@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
async def test_a_stolen_refresh_token_of_a_confidential_client_needs_its_secret(
    gate: Gate, method: str
) -> None:
    """GHSA-pw9m-5jxm-xr6h: refresh without client authentication, or as another client."""
    client = await gate.register(token_endpoint_auth_method=method)
    pkce = Pkce()
    code = await gate.code(client, pkce)
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": pkce.verifier}
    if method == "client_secret_basic":
        auth = (client["client_id"], client["client_secret"])
        tokens = (await gate.token(auth=auth, **form)).json()
    else:
        tokens = (await gate.token(**form, **posted(client))).json()
    stolen = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    thief = await gate.register()
    for known, error in (
        ({"client_id": client["client_id"]}, "invalid_client"),
        ({"client_id": client["client_id"], "client_secret": "guessed"}, "invalid_client"),
        ({}, "invalid_client"),
        ({"client_id": thief["client_id"]}, "invalid_grant"),
    ):
        assert (await gate.token(**stolen, **known)).json()["error"] == error
    assert (await gate.call(tokens["access_token"])).status_code == 200


@pytest.mark.parametrize(
    "grant_type",
    [
        "password",
        "client_credentials",
        "implicit",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:ietf:params:oauth:grant-type:saml2-bearer",
        "Authorization_Code",
    ],
)
async def test_what_is_not_offered_does_not_work(gate: Gate, grant_type: str) -> None:
    """fastmcp #5119 (ID-JAG taken while switched off), CVE-2026-45337 (device codes)."""
    answer = await gate.token(
        grant_type=grant_type,
        **posted(await gate.register()),
        username="alice@example.com",
        password="correct horse battery staple",
        assertion="e30.e30.",
        subject_token="x",
        device_code="x",
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


@clause("RFC 7592", "2")
async def test_nobody_manages_a_client_but_the_operator(gate: Gate) -> None:
    """CVE-2026-41427, GHSA-gj7g-7r6g-jc8v: no management over HTTP, and no member of a registration
    gives a client anything but what every stranger may have."""
    wish = {
        "client_id": "client_chosen",
        "client_secret": "chosen",
        "self_registered": False,
        "skip_consent": True,
        "trusted": True,
        "first_party": True,
        "sub": "ag_root",
        "registration_access_token": "x",
    }
    client = await gate.register(**wish)
    assert client["client_id"] != "client_chosen"
    assert not {"client_secret", "registration_access_token", "skip_consent"} & client.keys()
    kept = await gate.core.store.client(client["client_id"])
    assert kept is not None
    assert kept.self_registered
    assert not kept.metadata.keys() & wish.keys()
    async with gate.http() as http:
        for path in (f"/oauth/register/{client['client_id']}", "/oauth/clients", "/admin"):
            for method in ("GET", "PUT", "PATCH", "DELETE", "POST"):
                assert (await http.request(method, path)).status_code in (404, 405)
        for method in ("PUT", "PATCH", "DELETE", "GET"):
            answer = await http.request(method, "/oauth/register", json=wish)
            assert answer.status_code == 405


async def test_a_token_of_one_server_is_nothing_to_another_even_under_one_key(
    open_gate: OpenGate,
) -> None:
    """CVE-2025-69196, GHSA-vgf8-3685-66j9: staging and production may share a key by mistake;
    issuer and resource still tell whose a token is."""
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    staging = await open_gate(AUTHGATE_PUBLIC_URL="https://staging.example")
    live = await open_gate(AUTHGATE_PUBLIC_URL="https://live.example")
    for gate in (staging, live):
        await gate.core.keys.import_pem(key, application.now())
        await gate.core.keys.refresh(application.now())
    client = await staging.register(redirect_uris=["https://client.example/callback"])
    token = (await staging.tokens(client))["access_token"]
    assert (await staging.call(token)).status_code == 200
    answer = await live.call(token)
    assert answer.status_code == 401
    assert "another issuer" in answer.json()["error_description"]


async def test_another_browser_that_has_the_link_gets_nowhere(gate: Gate) -> None:
    """CVE-2026-27124, GHSA-rww4-4w9c-7733: a victim is sent the attacker's own page link, signed
    in or not, and a form that was copied out of the attacker's browser."""
    client = await gate.register()
    async with gate.http() as attacker, gate.http() as victim:
        begun = await attacker.get("/oauth/authorize", params=gate.question(client, Pkce()))
        link = begun.headers["location"]
        form = hidden((await attacker.get(link)).text, "/oauth/sign-in")
        await victim.get("/oauth/authorize", params=gate.question(client, Pkce()))
        for answer in (
            await victim.get(link),
            await victim.post(
                "/oauth/sign-in",
                data={
                    **form,
                    "username": "alice@example.com",
                    "password": "correct horse battery staple",
                },
            ),
            await victim.post("/oauth/consent", data={**form, "decision": "approve"}),
        ):
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "name",
    [
        "</bdi><script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "{{ 7*7 }}{% raw %}",
        "&lt;b&gt;",
    ],
)
async def test_a_name_is_text_on_every_page(gate: Gate, name: str) -> None:
    """GHSA-q9xg-f2v2-695g, GHSA-wx5f-576r-gpcx: stored script by way of a registration."""
    client = await gate.register(client_name=name)
    async with gate.http() as http:
        begun = await http.get("/oauth/authorize", params=gate.question(client, Pkce()))
        page = await http.get(begun.headers["location"])
    assert page.status_code == 200
    assert name not in page.text or "<" not in name
    assert "<script" not in page.text
    assert "49" not in page.text.partition("<main")[2].partition("<form")[0]
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy


async def test_a_weak_secret_key_starts_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """GHSA-8pcq-mx48-hjvj: a weak secret taken because it was "only" development."""
    from authgate import settings

    for weak in ("changeme", "a" * 64, "secret" * 10, "0123456789" * 5):
        monkeypatch.setenv("AUTHGATE_SECRET_KEY", weak)
        with pytest.raises(settings.SettingsError) as refused:
            settings.load(tmp_path / "no.env")
        assert weak not in str(refused.value)
