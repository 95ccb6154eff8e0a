"""Which scopes a call of a tool takes, by the operator's table, and who has enough of them.

The most particular pattern decides alone, so that an exception can be written down: `files_list`
beside `files_*`. Particular is what has no star in it, then what has more other characters; of two
that are alike in this both count. The order of the file means nothing: a TOML table has none, and
programs that write one sort it.

A broader scope stands for narrower ones only where a table says so. By the look of their names
(`files` for `files:read`) would be a guess, and a wrong one gives somebody more than they were
granted. Never here: which message is a call (`gateway.one_reading`), how it is answered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

from authgate.protocol.patterns import matches

CALL, LIST = "tools/call", "tools/list"
REMEMBERED = 4096  # names; clients call the same few again and again
LONGEST_REMEMBERED = 128  # characters, as many as a pattern has
Scopes = tuple[str, ...]


class ToolScopes:
    """The table in force. `tools` are patterns with their scopes, `default` is for all other tools,
    `implied` says which scopes stand for which others (and for what those stand for).
    """

    def __init__(
        self,
        tools: Mapping[str, Scopes] | None = None,
        default: Scopes = (),
        implied: Mapping[str, Scopes] | None = None,
    ) -> None:
        tools = tools or {}
        self.default = default
        self._exact = {name: scopes for name, scopes in tools.items() if "*" not in name}
        self._patterns = sorted(
            ((_literal(name), name, scopes) for name, scopes in tools.items() if "*" in name),
            reverse=True,
        )
        self._implied = {name: _closure(name, implied or {}) for name in implied or {}}
        self._named = frozenset(name for scopes in tools.values() for name in scopes)
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._found)

    @property
    def asks(self) -> bool:
        """Does any tool take anything?"""
        return bool(self._named or self.default)

    def written_for(self, tool: str) -> Scopes | None:
        """The scopes that a pattern gives to a tool; None if none has it."""
        # What a caller sends must not fill the memory: only what can be a name is remembered.
        return self._remembered(tool) if len(tool) <= LONGEST_REMEMBERED else self._found(tool)

    def taken_by(self, tool: str) -> Scopes:
        """All scopes that a call of a tool takes."""
        written = self.written_for(tool)
        return self.default if written is None else written

    def _found(self, tool: str) -> Scopes | None:
        exact = self._exact.get(tool)
        if exact is not None:
            return exact
        found: list[str] | None = None
        decided = 0
        for literal, pattern, scopes in self._patterns:
            if found is not None and literal < decided:
                break
            if matches(pattern, tool):
                decided, found = literal, [*(found or ()), *scopes]
        return None if found is None else tuple(dict.fromkeys(found))

    def lacking(self, needed: Iterable[str], granted: Collection[str]) -> Scopes:
        """Those of `needed` that are not granted, and that nothing granted stands for."""
        held = set(granted)
        for name in granted:
            held |= self._implied.get(name, frozenset())
        return tuple(name for name in needed if name not in held)

    def first(self, offered: Scopes, chosen: Scopes) -> Scopes:
        """What a client is told to ask for when it comes without a token: `chosen`, if any.

        Else what the tools of no pattern take, with every scope on offer that no pattern asks for
        and that stands for none which one does: it opens no tool that was put aside. Where nothing
        is left, the first on offer. The rest is asked for by the first call that takes it (MCP
        2026-07-28, Scope Selection Strategy: least privilege); to ask for everything at once would
        make a person allow every client everything, unread.
        """
        if chosen:
            return chosen
        plain = (name for name in offered if not self._opens(name))
        return tuple(dict.fromkeys((*self.default, *plain))) or offered[:1]

    def _opens(self, scope: str) -> bool:
        return not self._named.isdisjoint({scope} | self._implied.get(scope, frozenset()))


def step_up(granted: Iterable[str], needed: Iterable[str], known: Collection[str]) -> Scopes:
    """What a client has to ask for to make its call: all that the call takes, and what it had.

    From 2026-07-28 clients add what they had by themselves, and a server need not name it; those of
    2025-11-25 replace what they had by what is named, and would lose it. So it is named to all,
    always in the same manner (Server Scope Management). Not what is no longer on offer (`known`),
    which nobody can get, and not `offline_access`, which is no scope of a resource, unless it is
    what the issuer gives refresh tokens for, and then it is known.
    """
    had = (name for name in granted if name in known)
    return tuple(dict.fromkeys((*had, *needed)))


def _literal(pattern: str) -> int:
    return len(pattern) - pattern.count("*")


def _closure(scope: str, implied: Mapping[str, Scopes]) -> frozenset[str]:
    """Everything that a scope stands for, also by way of another; a circle ends where it began."""
    found: set[str] = set()
    left = [scope]
    while left:
        for name in implied.get(left.pop(), ()):
            if name not in found:
                found.add(name)
                left.append(name)
    return frozenset(found)
