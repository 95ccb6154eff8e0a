"""`authgate.toml` while the server runs: looked at twice a second and on request, applied as a
whole, or not at all.

Each worker looks for itself. No look ends or delays a request: what changes is what the next one is
judged by. A file that is broken or gone changes nothing: editors and deployments take files away
and write them half for a moment, and that moment must shut nobody out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from authgate.observe import log
from authgate.protocol.rollout import Mode
from authgate.settings import LiveSettings, Settings, SettingsError, load_live

LOOK_EVERY = 0.5  # seconds; a change counts when two looks saw the same

_UNKNOWN_PASSES = (
    "Whoever shows an unknown credential, a made-up one too, reaches the upstream, past "
    "[anonymous] and [tools]: the upstream has to judge it. If it takes anybody, write "
    'unknown = "refuse" under [legacy], which counts in optional.'
)

Apply = Callable[[LiveSettings], None]
_Stamp = tuple[int, int, int]


class Live:
    """What the file says, as it is in force. For one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path: Path = settings.config_file.expanduser().absolute()
        self._applied: list[Apply] = []
        self._asked = asyncio.Event()
        self._seen = self._in_force = self._stamp()
        self.current = load_live(settings)

    @property
    def mode(self) -> Mode:
        """The mode in force: the variable's, else the file's, else `required`."""
        return mode_of(self._settings, self.current)

    def apply(self, to: Apply) -> None:
        """Have `to` told of what is in force: now, and whenever it changes."""
        to(self.current)
        self._applied.append(to)

    def look_again(self) -> None:
        """Read the file at once, changed or not (SIGHUP)."""
        self._asked.set()

    async def watch(self) -> None:
        """Follow the file for as long as the process lives."""
        self._tell_mode()
        while True:
            try:
                async with asyncio.timeout(LOOK_EVERY):
                    await self._asked.wait()
            except TimeoutError:
                pass
            try:
                self.look()
            except Exception as trouble:  # a bug too: the watch must not end unheard
                log.error("config.watch_broken", error=type(trouble).__name__)

    def look(self) -> None:
        """One look, which takes microseconds unless there is something new."""
        asked, stamp = self._asked.is_set(), self._stamp()
        self._asked.clear()
        settled, self._seen = stamp == self._seen, stamp
        if asked or (settled and stamp != self._in_force):
            self._in_force = stamp
            self._read(asked=asked)

    def _read(self, *, asked: bool) -> None:
        file = str(self._path)
        try:
            found = load_live(self._settings, must_exist=self.current != LiveSettings())
        except SettingsError as error:
            for problem in error.problems:
                log.error("config.refused", detail=problem, file=file)
            log.error("config.unchanged", detail="What the file said before stays in force.")
            return
        except FileNotFoundError:
            log.error(
                "config.unchanged",
                detail="The file is gone. What it said stays in force until it is back, or until "
                "the server starts anew.",
                file=file,
            )
            return
        before, self.current = self.current, found
        if found != before:
            for apply in self._applied:
                apply(found)
            log.info("config.changed", file=file)
        if found != before or asked:
            self._tell_mode()

    def _tell_mode(self) -> None:
        """Say which mode is in force, and why it may not be the file's."""
        pinned = self._settings.rollout
        source = "AUTHGATE_ROLLOUT" if pinned else self._path.name
        source = source if pinned or self.current.rollout else "the default"
        detail = (
            "AUTHGATE_ROLLOUT is set, so the mode cannot change while the server runs; unset it "
            "to let the config file decide."
            if pinned
            else f"{self._path.name} can change it while the server runs."
        )
        log.info("rollout.mode", mode=self.mode.value, source=source, detail=detail)
        if self._unknown_passes:
            log.warning("rollout.unknown_passes", mode=self.mode.value, detail=_UNKNOWN_PASSES)

    @property
    def _unknown_passes(self) -> bool:
        """Is it the upstream alone that judges what nobody here knows? In `off` it judges all, and
        the operator chose that by the word; here it is a default that may not have been noticed."""
        between = self.mode in (Mode.OBSERVE, Mode.OPTIONAL)
        return between and self._settings.upstream is not None and self.current.pass_unknown

    def _stamp(self) -> _Stamp | None:
        """What is different when the file is another one."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


def mode_of(settings: Settings, live: LiveSettings) -> Mode:
    """The mode in force."""
    return settings.rollout or live.rollout or Mode.REQUIRED
