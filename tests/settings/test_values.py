"""What each setting takes and refuses; every refusal names the setting and says what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from authgate.settings import Settings
from tests.settings.conftest import loaded, problems

KEY = "Zq8-vN3_tRw7Lk2Xp5Yc9Bd4Fg6Hj1Ms"
OTHER = "a4K_9mPz-Q7wE2rT5yU8iO1pL3sD6fGh"

GOOD = {
    "AUTHGATE_PUBLIC_URL": [
        "https://auth.example",
        "https://auth.example/mcp-auth",
        "https://auth.example:8443",
        "http://127.0.0.1:9000",
        "http://[::1]:9000",
        "http://localhost",
    ],
    "AUTHGATE_DATA_DIR": ["/var/lib/authgate", "data", "~/authgate"],
    "AUTHGATE_DATABASE_URL": [
        "sqlite:////var/lib/a.db",
        "sqlite:///a.db",
        "sqlite:///~/a.db",
        "postgresql://authgate:secret@db.internal:5432/authgate",
        "postgres://u.ref:p%40ss@pooler.supabase.example:6543/postgres?sslmode=require",
        "postgresql://authgate@[::1]/authgate?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        "postgresql://authgate@db1:5432,db2:5433,[::1]/authgate?target_session_attrs=primary",
        "postgresql://authgate@%2Fvar%2Frun%2Fpostgresql/authgate",
    ],
    "AUTHGATE_DATABASE_SCHEMA": ["authgate", "auth_2"],
    "AUTHGATE_DATABASE_POOL": ["1", "200"],
    "AUTHGATE_DATABASE_PREPARE": ["auto", "true", "false"],
    "AUTHGATE_SECRET_KEY": [KEY, f"{KEY},{OTHER}", f"{KEY} , {OTHER}"],
    "AUTHGATE_ISSUER": ["builtin"],
    "AUTHGATE_PASSWORDS": ["embedded"],
    "AUTHGATE_SOCIAL": ["none"],
    "AUTHGATE_SCOPES": ["mcp:use", "read write", "  read   write "],
    "AUTHGATE_RESOURCES": ["https://mcp.example/mcp", "https://a.example https://b.example/x"],
    "AUTHGATE_CODE_TTL": ["1", "600"],
    "AUTHGATE_ACCESS_TOKEN_TTL": ["1", "86400"],
    "AUTHGATE_REFRESH_TOKEN_TTL": ["1", "31536000"],
    "AUTHGATE_REFRESH_GRACE": ["0", "600"],
    "AUTHGATE_SIGNING_ALG": ["ES256", "RS256"],
    "AUTHGATE_KEY_ROTATION_DAYS": ["0", "30", "3650"],
    "AUTHGATE_AUDIT_DAYS": ["0", "365", "36500"],
    "AUTHGATE_REDIRECT_SCHEMES": ["cursor", "cursor vscode com.example.app"],
    "AUTHGATE_LIMIT_ACCOUNT": ["10/minute", "100/5 seconds", "1/day"],
    "AUTHGATE_LIMIT_ADDRESS": ["200/hour"],
    "AUTHGATE_LIMIT_FACTOR": ["20/hour"],
    "AUTHGATE_LIMIT_REGISTRATION": ["5/2 hours"],
    "AUTHGATE_LIMIT_AUTHORIZATION": ["5/2 hours"],
    "AUTHGATE_LIMIT_CLIENT": ["7/3minutes"],
    "AUTHGATE_LIMITS_URL": [
        "redis://127.0.0.1",
        "redis://:secret@redis:6379",
        "rediss://authgate:a%40b@limits.example:6380/2",
        "valkey://[::1]:6379/0",
        "valkeys://:p@valkey.example/",
        "unix:///run/redis/redis.sock",
        "unix://:secret@/run/redis/redis.sock",
    ],
    "AUTHGATE_ALLOWED_ORIGINS": ["https://app.example", "app://obsidian.md http://a.example:81"],
    "AUTHGATE_TRUSTED_PROXIES": ["10.0.0.0/8", "127.0.0.1 ::1", "10.0.0.1/8"],
    "AUTHGATE_ALLOW_HTTP": ["true", "false", "1", "no"],
    "AUTHGATE_TOOL_PASSWORDS": ["true", "FALSE"],
    "AUTHGATE_UPSTREAM": [
        "http://127.0.0.1:9000/mcp",
        "http://mcp:9000",
        "https://Mcp.Example/a/mcp/?project=1&x=%20",
        "http://[::1]:9000/mcp",
    ],
    # anything but none needs somebody to tell, which is tested below
    "AUTHGATE_UPSTREAM_IDENTITY": ["none"],
    "AUTHGATE_UPSTREAM_TIMEOUT": ["1", "86400"],
    "AUTHGATE_UPSTREAM_BODY_LIMIT": ["1024", "1073741824"],
    "AUTHGATE_UPSTREAM_LIMIT": ["1", "100000"],
    "AUTHGATE_UPSTREAM_LIMIT_PERSON": ["1", "100000"],
    "AUTHGATE_UPSTREAM_COMMAND": [
        "npx -y @modelcontextprotocol/server-everything stdio",
        "sh -c 'exec server \"$HOME\"'",
    ],
    "AUTHGATE_UPSTREAM_ENV": ["API_TOKEN", "API_TOKEN  HTTPS_PROXY _x1"],
    "AUTHGATE_UPSTREAM_PROCESSES": ["1", "10000"],
    "AUTHGATE_UPSTREAM_PROCESSES_PERSON": ["1", "10000"],
    "AUTHGATE_UPSTREAM_IDLE": ["1", "604800"],
    "AUTHGATE_UPSTREAM_MEMORY": ["1", "1048576"],
    "AUTHGATE_CONFIG_FILE": ["/etc/authgate/authgate.toml"],
    "AUTHGATE_ROLLOUT": ["off", "observe", "optional", "required"],
    "AUTHGATE_DRAIN": ["1", "3600"],
    "AUTHGATE_DRAIN_DELAY": ["0", "3600"],
    "AUTHGATE_METRICS_BIND": ["127.0.0.1:9464", "0.0.0.0:9464", "[::1]:9464"],
    "LOG_LEVEL": ["DEBUG", "info", "Warning", "CRITICAL"],
    "WORKOS_API_KEY": ["sk_test_1"],
    "WORKOS_CLIENT_ID": ["client_1"],
    "WORKOS_API_URL": ["https://api.workos.com", "http://127.0.0.1:4111/", "https://w.example/api"],
    "WORKOS_AUTHKIT_DOMAIN": ["https://t.authkit.app", "t.authkit.app", "http://127.0.0.1:4112"],
    "WORKOS_WEBHOOK_SECRET": ["whsec_1"],
    "AUTHGATE_WORKOS_PROVIDERS": ["github", "google github", "authkit", "  github  authkit "],
    "AUTHGATE_LINK_VERIFIED_EMAIL": ["true", "false"],
    "AUTHGATE_ACCEPT_CLIENT_ID_AUDIENCE": ["true", "false"],
    # What else a project needs is tested below: one setting alone is no project.
    "SUPABASE_URL": [],
    "SUPABASE_PUBLISHABLE_KEY": ["sb_publishable_1"],
    "SUPABASE_ANON_KEY": ["eyJ.a.b"],
    "SUPABASE_SECRET_KEY": ["sb_secret_1"],
    "SUPABASE_SERVICE_ROLE_KEY": ["eyJ.a.b"],
    "AUTHGATE_SUPABASE_AUTH_URL": ["https://auth.example", "http://127.0.0.1:9999/"],
    "AUTHGATE_SUPABASE_FORWARD_ADDRESS": ["true", "false"],
    "AUTHGATE_SUPABASE_FORWARD_HEADER": ["X-Forwarded-For"],
    "AUTHGATE_SUPABASE_OUTAGE_GRACE": ["0", "86400"],
    "AUTHGATE_SUPABASE_SOCIAL_WITH_AUTOCONFIRM": ["true", "false"],
    "AUTHGATE_SUPABASE_KEEP_SESSION": ["false", "true"],
    "AUTHGATE_REQUIRE_SECOND_FACTOR": ["false"],
}

BAD = {
    "AUTHGATE_PUBLIC_URL": [
        ("auth.example", "https://host"),
        ("https://auth.example/", "slash"),
        ("https://auth.example/a/", "slash"),
        ("https://auth.example/a?b", "https://host"),
        ("https://auth.example/#a", "https://host"),
        ("https://user@auth.example", "https://host"),
        ("https://auth.example:99999", "https://host"),
        ("https://auth.example:0", "https://host"),
        ("https://auth.example:443", "leave out :443"),
        ("http://localhost:80", "leave out :80"),
        ("https://Auth.Example", "lower case"),
        ("ftp://auth.example", "https://host"),
        (" https://auth.example", "https://host"),
        ("https://auth.example\n", "https://host"),
        ("https://аuth.example", "https://host"),  # noqa: RUF001 - a Cyrillic letter
        ("http://auth.example", "AUTHGATE_ALLOW_HTTP=true"),
        ("http://localhost.example", "AUTHGATE_ALLOW_HTTP=true"),
        ("http://127.0.0.1.example", "AUTHGATE_ALLOW_HTTP=true"),
    ],
    "AUTHGATE_DATABASE_URL": [
        ("postgresql://localhost", "HOST:PORT/DATABASE"),
        ("postgresql:///authgate", "HOST:PORT/DATABASE"),
        ("postgresql://u:p@ss/w@localhost/authgate", "%40 for @"),
        ("postgresql://u:p#w@localhost/authgate", "%23 for #"),
        ("postgresql://localhost:99999/authgate", "HOST:PORT/DATABASE"),
        ("postgresql://localhost:0/authgate", "HOST:PORT/DATABASE"),
        ("postgresql://db1,/authgate", "HOST:PORT/DATABASE"),
        ("postgresql://u:p@w@localhost/authgate", "%40 for @"),
        ("postgresql://localhost/authgate?pgbouncer=true", "take the parameter 'pgbouncer' out"),
        ("postgresql://localhost/authgate?options=-c%20a%3Db", "take the parameter 'options' out"),
        ("postgresql://localhost/authgate?sslmode=yes", "sslmode is one of"),
        ("postgresql://localhost/authgate?sslmode", "NAME=VALUE"),
        ("mysql://localhost/authgate", "sqlite:///PATH or postgresql://"),
        ("/var/lib/a.db", "sqlite:///PATH"),
        ("sqlite://a.db", "sqlite:///PATH"),
        ("sqlite:///", "path of a file"),
        ("sqlite:///:memory:", "path of a file"),
        ("sqlite:///a.db?mode=ro", "without parameters"),
    ],
    "AUTHGATE_DATABASE_SCHEMA": [
        ("pg_authgate", "write a name"),
        ("Auth", "write a name"),
        ("a.b", "write a name"),
        ("information_schema", "write a name"),
    ],
    "AUTHGATE_DATABASE_POOL": [("0", "above 0"), ("201", "200"), ("ten", "whole number")],
    "AUTHGATE_DATABASE_PREPARE": [("yes", "auto, true or false")],
    "AUTHGATE_SECRET_KEY": [
        ("short", "too short"),
        ("a" * 40, "too easy"),
        ("0123456789" * 4, "too easy"),
        (f"{KEY},short", "too short"),
        (" , ", "no secret"),
    ],
    "AUTHGATE_ISSUER": [("own", "builtin or authkit")],
    "AUTHGATE_PASSWORDS": [
        ("ldap", "embedded or supabase"),
    ],
    "AUTHGATE_SOCIAL": [
        ("workos", "WORKOS_API_KEY and WORKOS_CLIENT_ID"),
        ("supabase", "set SUPABASE_URL"),
        ("github", "none, supabase or workos"),
    ],
    "AUTHGATE_SCOPES": [
        ("mcp:use offline_access", "leave out offline_access"),
        ('a"b', "separated by spaces"),
        ("a\\b", "mcp:use"),
        ("  ", "mcp:use"),
    ],
    "AUTHGATE_RESOURCES": [
        ("mcp.example", "absolute"),
        ("https://a.example/#x", "fragment"),
        ("https://a.example,https://b.example#", "separated by spaces"),
    ],
    "AUTHGATE_CODE_TTL": [
        ("0", "above 0"),
        ("-1", "above 0"),
        ("601", "600 or less"),
        ("60s", "whole number"),
        ("1.5", "whole number"),
    ],
    "AUTHGATE_ACCESS_TOKEN_TTL": [("0", "above 0"), ("86401", "86400 or less"), ("1h", "whole")],
    "AUTHGATE_REFRESH_TOKEN_TTL": [("0", "above 0"), ("30 days", "whole number")],
    "AUTHGATE_REFRESH_GRACE": [("-1", "0 or more"), ("601", "600 or less"), ("x", "whole")],
    "AUTHGATE_SIGNING_ALG": [("HS256", "ES256 or RS256"), ("none", "ES256 or RS256")],
    "AUTHGATE_KEY_ROTATION_DAYS": [("-1", "0 or more"), ("3651", "3650 or less"), ("x", "whole")],
    "AUTHGATE_AUDIT_DAYS": [("-1", "0 or more"), ("36501", "36500 or less"), ("x", "whole")],
    "AUTHGATE_REDIRECT_SCHEMES": [
        ("javascript", "private-use"),
        ("cursor https", "private-use"),
        ("Cursor", "private-use"),
        ("cursor://", "private-use"),
    ],
    "AUTHGATE_LIMIT_ACCOUNT": [("10", "10/minute"), ("0/minute", "10/minute")],
    "AUTHGATE_LIMIT_ADDRESS": [("many/minute", "10/minute"), ("1/week", "10/minute")],
    "AUTHGATE_LIMIT_FACTOR": [("20", "10/minute")],
    "AUTHGATE_LIMIT_REGISTRATION": [("-1/minute", "10/minute"), ("1 per minute", "10/minute")],
    "AUTHGATE_LIMIT_AUTHORIZATION": [("10", "10/minute")],
    "AUTHGATE_LIMIT_CLIENT": [("1/0 minutes", "10/minute"), ("1/minute;2/hour", "10/minute")],
    "AUTHGATE_LIMITS_URL": [
        ("localhost:6379", "redis://HOST:PORT"),
        ("http://localhost:6379", "redis://HOST:PORT"),
        ("redis://", "redis://HOST:PORT"),
        ("redis://localhost:0", "redis://HOST:PORT"),
        ("redis://localhost:65536/1", "redis://HOST:PORT"),
        ("redis://:p@ss@localhost", "percent-encode"),
        ("redis://localhost/a", "redis://HOST:PORT"),
        ("rediss://localhost?ssl_cert_reqs=none", "redis://HOST:PORT"),
        ("unix://run/redis.sock", "unix:///PATH"),
    ],
    "AUTHGATE_ALLOWED_ORIGINS": [
        ("https://app.example/", "without a slash"),
        ("app.example", "https://app.example"),
        ("*", "https://app.example"),
    ],
    "AUTHGATE_TRUSTED_PROXIES": [
        ("proxy.local", "CIDR"),
        ("10.0.0.0/33", "CIDR"),
        ("0.0.0.0/0", "everybody"),
        ("10.0.0.1 ::/0", "everybody"),
    ],
    "AUTHGATE_ALLOW_HTTP": [("maybe", "true or false")],
    "AUTHGATE_TOOL_PASSWORDS": [("perhaps", "true or false")],
    "AUTHGATE_UPSTREAM": [
        ("127.0.0.1:9000", "whole address"),
        ("ftp://a.example/mcp", "whole address"),
        ("http://a.example/mcp#x", "whole address"),
        ("http://user:word@a.example/mcp", "whole address"),
        ("http://a.example:99999/mcp", "whole address"),
        ("http://a.example/a b", "whole address"),
        ("http://localhost:8000/mcp", "authgate itself"),
        ("http://localhost:8000/mcp?x=1", "authgate itself"),
    ],
    "AUTHGATE_UPSTREAM_IDENTITY": [
        ("headers", "nobody to tell"),
        ("token", "none, headers or jwt"),
    ],
    "AUTHGATE_UPSTREAM_TIMEOUT": [("0", "above 0"), ("86401", "or less")],
    "AUTHGATE_UPSTREAM_BODY_LIMIT": [("1000", "1024 or more"), ("4 MiB", "whole number")],
    "AUTHGATE_UPSTREAM_LIMIT": [("0", "above 0")],
    "AUTHGATE_UPSTREAM_LIMIT_PERSON": [("-1", "above 0")],
    "AUTHGATE_DRAIN": [("0", "above 0"), ("1h", "whole number")],
    "AUTHGATE_DRAIN_DELAY": [("-1", "0 or more"), ("3601", "3600 or less"), ("x", "whole number")],
    "AUTHGATE_UPSTREAM_COMMAND": [
        ("'npx server", "no closing quotation"),
        ("  ", "a program and its arguments"),
        ("''", "a program and its arguments"),
    ],
    "AUTHGATE_UPSTREAM_ENV": [
        ("A=b", "names of variables"),
        ("1A", "names of variables"),
        ("HOME AUTHGATE_SECRET_KEY", "leave out AUTHGATE_SECRET_KEY"),
        ("SUPABASE_URL", "leave out SUPABASE_URL"),
        ("WORKOS_API_KEY", "leave out WORKOS_API_KEY"),
    ],
    "AUTHGATE_UPSTREAM_PROCESSES": [("0", "above 0"), ("10001", "10000")],
    "AUTHGATE_UPSTREAM_PROCESSES_PERSON": [("0", "above 0"), ("10001", "10000")],
    "AUTHGATE_UPSTREAM_IDLE": [("0", "above 0"), ("604801", "604800")],
    "AUTHGATE_UPSTREAM_MEMORY": [("0", "above 0"), ("x", "whole number")],
    "AUTHGATE_ROLLOUT": [
        ("sometimes", "off, observe, optional or required"),
        ("OFF", "off, observe"),
    ],
    "AUTHGATE_METRICS_BIND": [
        (wrong, "an address and a port")
        for wrong in ("9464", ":9464", "localhost:9464", "127.0.0.1:0", "::1:9464", "1.2.3.4:65536")
    ],
    "LOG_LEVEL": [("LOUD", "DEBUG, INFO"), ("10", "DEBUG, INFO")],
    "WORKOS_API_KEY": [("sk_test_1\n", "copy the key again"), ("sk test", "copy the key again")],
    "WORKOS_API_URL": [("api.workos.com", "https://host"), ("https://w.example?a", "https://host")],
    "WORKOS_AUTHKIT_DOMAIN": [
        ("https://t.authkit.app/oauth2", "the AuthKit domain alone"),
        ("https://T.authkit.app", "lower case"),
        ("ftp://t.authkit.app", "https://host"),
        ("https://u@t.authkit.app", "https://host"),
        ("https://t.authkit.app?x", "https://host"),
        ("t.authkit.app\nx", "https://host"),
    ],
    "WORKOS_WEBHOOK_SECRET": [("wh sec", "copy the key again")],
    "AUTHGATE_WORKOS_PROVIDERS": [
        ("gitlab", "github, google, authkit"),
        ("github,google", "separated by spaces"),
        ("  ", "one or more"),
    ],
    "AUTHGATE_LINK_VERIFIED_EMAIL": [("perhaps", "true or false")],
    "AUTHGATE_ACCEPT_CLIENT_ID_AUDIENCE": [("perhaps", "true or false")],
    "SUPABASE_URL": [
        ("https://x.supabase.co", "AUTHGATE_PASSWORDS=embedded"),
        ("https://x.supabase.co", "SUPABASE_PUBLISHABLE_KEY"),
    ],
    "SUPABASE_PUBLISHABLE_KEY": [("sb_publishable_1 2", "copy the key again")],
    "SUPABASE_ANON_KEY": [("eyJ\n.a.b", "copy the key again")],
    "SUPABASE_SECRET_KEY": [("sb_secret_1\n", "copy the key again")],
    "SUPABASE_SERVICE_ROLE_KEY": [("eyJ.a.ü", "copy the key again")],
    "AUTHGATE_SUPABASE_AUTH_URL": [("auth.example", "https://host"), ("ftp://a.b", "https://host")],
    "AUTHGATE_SUPABASE_FORWARD_ADDRESS": [("maybe", "true or false")],
    "AUTHGATE_SUPABASE_FORWARD_HEADER": [
        ("X Forwarded", "name of a header"),
        ("X-A: b", "name of a header"),
    ],
    "AUTHGATE_SUPABASE_OUTAGE_GRACE": [
        ("-1", "0 or more"),
        ("86401", "86400 or less"),
        ("1h", "whole number"),
    ],
    "AUTHGATE_SUPABASE_SOCIAL_WITH_AUTOCONFIRM": [("maybe", "true or false")],
    "AUTHGATE_SUPABASE_KEEP_SESSION": [("x", "true or false")],
    "AUTHGATE_REQUIRE_SECOND_FACTOR": [("true", "SUPABASE_URL"), ("x", "true or false")],
}


def test_every_setting_is_tried_here() -> None:
    names = {str(field.validation_alias) for field in Settings.model_fields.values()}
    free = {"AUTHGATE_CONFIG_FILE", "AUTHGATE_DATA_DIR", "WORKOS_CLIENT_ID"}
    assert set(GOOD) == names
    assert set(BAD) == names - free


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in GOOD.items() for v in values])
def test_a_value_as_the_docs_write_it_is_taken(name: str, value: str) -> None:
    loaded(**{name: value})  # raises `SettingsError` if it is not


@pytest.mark.parametrize(
    ("name", "value", "remedy"), [(n, v, r) for n, values in BAD.items() for v, r in values]
)
def test_a_wrong_value_is_one_sentence_with_its_remedy(name: str, value: str, remedy: str) -> None:
    (told,) = problems(**{name: value})
    assert told.startswith((f"{name}: ", "SUPABASE_PUBLISHABLE_KEY: "))
    assert remedy in told
    assert told.endswith(".")
    assert not told.endswith("..")


def test_http_beyond_loopback_by_decision() -> None:
    settings = loaded(AUTHGATE_PUBLIC_URL="http://auth.lan", AUTHGATE_ALLOW_HTTP="true")
    assert settings.public == "http://auth.lan"


def test_a_supabase_project_with_our_own_people() -> None:
    settings = loaded(SUPABASE_URL="https://x.supabase.co", AUTHGATE_PASSWORDS="embedded")
    assert settings.people_in == "embedded"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////var/lib/a.db", Path("/var/lib/a.db")),
        ("sqlite:///data/a.db", Path("data/a.db")),
        ("sqlite:///~/a.db", Path("~/a.db").expanduser()),
    ],
)
def test_the_database_file(url: str, path: Path) -> None:
    assert loaded(AUTHGATE_DATABASE_URL=url).sqlite_path == path
