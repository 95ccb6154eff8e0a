"""What is counted and timed, as a list of words; who keeps the numbers is decided at the start.

Nothing is kept unless `AUTHGATE_METRICS_BIND` is set: each of these methods is then an empty one.
Labels are words of ours from short lists (routes, reasons, directories), and never what a stranger
chose: a label that anybody can write is a way to fill the memory. Never here: Prometheus
(`observe.prometheus`).
"""

from __future__ import annotations

from collections.abc import Mapping


class Recorder:
    """Keeps nothing. `seconds` are durations, `at` is a time since the epoch."""

    def request(self, endpoint: str, status: int, seconds: float) -> None:
        """An answer has begun."""

    def refusal(self, endpoint: str, reason: str) -> None:
        """A request was refused, or met trouble."""

    def sign_in(self, directory: str, outcome: str) -> None:
        """A directory judged somebody."""

    def token_issued(self, grant_type: str) -> None:
        """An access token went out."""

    def outbound(self, service: str, outcome: str, seconds: float) -> None:
        """A call to somebody else came back, or did not."""

    def store(self, operation: str, seconds: float) -> None:
        """A step of the store ended, in whatever way."""

    def stream(self, change: int) -> None:
        """A stream was opened (1) or has ended (-1)."""

    def swept(self, rows: int, at: float) -> None:
        """A sweep went well."""

    def limit_fallbacks(self, more: int) -> None:
        """So many more limits were judged without the limit store."""

    def watched(self, values: Mapping[str, float]) -> None:
        """What is looked at now and then: gauges by the names that `prometheus` has for them."""


record: Recorder = Recorder()


def use(recorder: Recorder) -> None:
    """Have `recorder` keep the numbers of this process from now on."""
    global record
    record = recorder
