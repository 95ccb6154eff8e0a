"""stub"""


def demo() -> None:
    """Walk."""
