"""What the operator decided, as the rules need it: a small frozen record made once at start-up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules' settings. Lifetimes in seconds; `issuer` and `resources` are exact strings.

    `resources[0]` is the default resource, the MCP server behind this very authgate.
    """

    issuer: str
    resources: tuple[str, ...]
    scopes: tuple[str, ...]
    redirect_schemes: tuple[str, ...] = ("cursor",)
    code_ttl: int = 60
    access_token_ttl: int = 3600
    refresh_token_ttl: int = 2_592_000
    refresh_grace: int = 60
    request_ttl: int = 600
    session_ttl: int = 43_200
    verifier_attempts: int = 5
    unchecked_ttl: int = 86_400  # since the sign-in, for people who cannot be rechecked
    outage_grace: int = 900  # since a directory that cannot be asked last stood by the person
    required_assurance: int = 1  # how many independent factors a sign-in needs to count
    tool_passwords: bool = True

    @property
    def default_resource(self) -> str:
        return self.resources[0]
