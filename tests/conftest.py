"""What holds for every test.

Programs that tests start are ended by Ctrl+C in some of them. A test run that was itself started in
the background of a shell has that signal ignored, and would hand this on to every program.
"""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
