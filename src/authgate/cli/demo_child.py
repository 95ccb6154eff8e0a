"""`python -m authgate.cli.demo_child`: the demo's server, which ends whenever the demo does.

`authgate.server` with one thread more, which waits for the end of standard input. The demo holds
the other end of that pipe, and the system closes it however the demo ends, by `kill -9` too. (Linux
could send a signal at a parent's death by itself; other systems cannot.)
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

from authgate.cli import serve_main
from authgate.cli.demo_server import FOLDER, STOPS_WITHIN


def _end_with_the_demo(folder: Path, alone: threading.Event) -> None:
    """Whoever ends in good order asks the server itself; here nobody is left who could."""
    while os.read(sys.stdin.fileno(), 4096):
        pass  # nothing is ever said there
    alone.set()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOPS_WITHIN)
    _forget(folder)
    os._exit(1)


def _forget(folder: Path) -> None:
    """Remove the demo's folder, which has a person and their password's hash in it."""
    if folder.name.startswith(FOLDER):
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Serve, until told to stop or alone."""
    folder, alone = Path.cwd(), threading.Event()
    threading.Thread(target=_end_with_the_demo, args=(folder, alone), daemon=True).start()
    try:
        serve_main()
    finally:
        if alone.is_set():  # else the demo still reads the log there
            _forget(folder)


if __name__ == "__main__":
    main()
