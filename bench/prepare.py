"""Prepares authorization codes in a process beside the server: `python -m bench.prepare`.

What it does and why it may is said in `product`. It speaks lines of JSON: a number of codes comes
in, a list of [client_id, code] goes out. `python -m bench.prepare token` prints one access token.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from authgate import settings
from bench.product import Product


async def serve() -> None:
    """Answer until standard input ends."""
    product = await Product.open(settings.load(Path(os.devnull)))
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        sys.stdout.write(json.dumps(await product.codes(int(line))) + "\n")
        sys.stdout.flush()
    await product.core.close()


async def one_token() -> None:
    """Print an access token."""
    product = await Product.open(settings.load(Path(os.devnull)))
    print(await product.access_token())
    await product.core.close()


if __name__ == "__main__":
    asyncio.run(one_token() if sys.argv[1:] == ["token"] else serve())
