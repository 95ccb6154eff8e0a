"""An MCP server over stdio in plain Python: both eras, quick to start, and badly behaved on demand.

    python stdio_program.py [--sessions-only] [--stubborn] [--exit CODE] [--silent] [--eager]

Nothing but the standard library, so that a test can afford many of them. Tools are below, each a
function of its arguments.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

MODERN = "2026-07-28"
CACHED = {"ttlMs": 0, "cacheScope": "private"}
OPTIONS = sys.argv[1:]

memory: dict[str, Any] = {}
kept: list[Any] = []
answers: dict[str, Any] = {}
arrived = threading.Condition()
writing = threading.Lock()
cancelled: list[Any] = []


def write(message: dict[str, Any]) -> None:
    raw(json.dumps({"jsonrpc": "2.0", **message}))


def raw(text: str) -> None:
    with writing:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def whoami(params: dict[str, Any]) -> Any:
    """What it knows of itself."""
    own = Path("/proc/self/fd")
    return {
        "pid": os.getpid(),
        "env": dict(os.environ),
        "fds": sorted(
            f"{entry.name} {entry.readlink()}" for entry in own.iterdir() if links(entry)
        ),
        "group": os.getpgid(0),
        "params": params,
    }


def links(entry: Path) -> bool:
    try:
        entry.readlink()
    except OSError:
        return False
    return True


def remember(params: dict[str, Any]) -> Any:
    memory.update(params["arguments"])
    return {"kept": len(memory)}


def recall(params: dict[str, Any]) -> Any:
    return memory


def die(params: dict[str, Any]) -> Any:
    os._exit(3)


def hang(params: dict[str, Any]) -> Any:
    time.sleep(3600)


def was_cancelled(params: dict[str, Any]) -> Any:
    return {"cancelled": len(cancelled)}


def slow(params: dict[str, Any]) -> Any:
    """Progress, then the end."""
    token = params.get("_meta", {}).get("progressToken")
    steps = params["arguments"]["steps"]
    for step in range(1, steps + 1):
        time.sleep(params["arguments"].get("each", 0.02))
        if token is not None:
            told = {"progressToken": token, "progress": step, "total": steps}
            write({"method": "notifications/progress", "params": told})
    return {"steps": steps}


def flood(params: dict[str, Any]) -> Any:
    text = "x" * params["arguments"]["size"]
    for _ in range(params["arguments"]["count"]):
        told = {"level": "info", "data": text}
        write({"method": "notifications/message", "params": told})
    return {}


def huge(params: dict[str, Any]) -> Any:
    """An answer of some size; `first` says where its id is."""
    return {"text": "x" * params["arguments"]["size"]}


def say(params: dict[str, Any]) -> Any:
    for _ in range(params["arguments"].get("times", 1)):
        sys.stderr.write(params["arguments"]["words"] + "\n")
    sys.stderr.flush()
    return {}


def noise(params: dict[str, Any]) -> Any:
    raw(params["arguments"]["words"])
    return {}


def eat(params: dict[str, Any]) -> Any:
    kept.append(bytearray(os.urandom(1 << 20) * params["arguments"]["mib"]))
    return {"mib": len(kept[-1]) >> 20}


def bear(params: dict[str, Any]) -> Any:
    """A child that ignores what it is told, and holds our output open."""
    code = "import signal,time;signal.signal(signal.SIGTERM,signal.SIG_IGN);time.sleep(3600)"
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", code])
    return {"child": child.pid}


def bear_a_stranger(params: dict[str, Any]) -> Any:
    """A child in a session of its own, which holds our output open."""
    code = "import time;time.sleep(3600)"
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", code], start_new_session=True)
    return {"child": child.pid}


def echo(params: dict[str, Any]) -> Any:
    return params["arguments"]


def bear_and_die(params: dict[str, Any]) -> Any:
    bear(params)
    os._exit(3)


def ask(params: dict[str, Any]) -> Any:
    """A request of ours to the client, and its answer."""
    number = f"ask-{time.monotonic_ns()}"
    write({"id": number, **params["arguments"]["request"]})
    with arrived:
        arrived.wait_for(lambda: number in answers, 30)
    return {"answer": answers.get(number)}


def stop_reading(params: dict[str, Any]) -> Any:
    return {}


def announce(params: dict[str, Any]) -> Any:
    write({"method": "notifications/tools/list_changed"})
    return {}


def close_output(params: dict[str, Any]) -> Any:
    os.close(1)
    time.sleep(3600)


TOOLS = {
    tool.__name__: tool
    for tool in (
        *(whoami, remember, recall, die, hang, was_cancelled, slow, flood, huge, say, noise, eat),
        *(bear, bear_a_stranger, echo, bear_and_die, ask, announce, close_output, stop_reading),
    )
}


def call(message: dict[str, Any]) -> None:
    params = message.get("params") or {}
    result = TOOLS[params["name"]](params)
    answer(message, {"content": [], "structuredContent": result})


def answer(message: dict[str, Any], result: dict[str, Any]) -> None:
    if is_modern(message):
        result = {**result, "resultType": "complete"}
    if "last" in (message.get("params") or {}).get("arguments", {}):
        raw(json.dumps({"result": result, "jsonrpc": "2.0", "id": message["id"]}))
    else:
        write({"id": message["id"], "result": result})


def is_modern(message: dict[str, Any]) -> bool:
    meta = (message.get("params") or {}).get("_meta") or {}
    return "io.modelcontextprotocol/protocolVersion" in meta


def listen(message: dict[str, Any]) -> None:
    """Two events on a subscription, then nothing more."""
    stamp = {"io.modelcontextprotocol/subscriptionId": message["id"]}
    for method in ("subscriptions/acknowledged", "tools/list_changed"):
        write({"method": f"notifications/{method}", "params": {"_meta": stamp}})


def take(message: dict[str, Any]) -> None:
    with arrived:
        answers[str(message.get("id"))] = message.get("result", message.get("error"))
        arrived.notify_all()


def handle(message: dict[str, Any]) -> None:
    method = message.get("method")
    info = {"serverInfo": {"name": "stand-in", "version": "0"}, "capabilities": {"tools": {}}}
    if method is None:
        take(message)
    elif method == "initialize":
        version = message["params"]["protocolVersion"]
        answer(message, {"protocolVersion": version, **info})
    elif method == "server/discover" and "--sessions-only" not in OPTIONS:
        answer(message, {"supportedVersions": [MODERN], **info, **CACHED})
    elif method == "subscriptions/listen":
        listen(message)
    elif method == "tools/call":
        threading.Thread(target=call, args=(message,), daemon=True).start()
    elif method == "tools/list":
        tools = [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]
        answer(message, {"tools": tools, **CACHED})
    elif method == "notifications/cancelled":
        cancelled.append(message["params"]["requestId"])  # and the call goes on all the same
    elif method == "notifications/initialized" and "--eager" in OPTIONS:
        write({"id": "eager", "method": "roots/list"})
    elif "id" in message:
        write({"id": message["id"], "error": {"code": -32601, "message": "Method not found"}})


def chat() -> None:
    while True:
        time.sleep(0.05)
        write({"method": "notifications/message", "params": {"level": "info", "data": "x"}})


def main() -> None:
    if "--exit" in OPTIONS:
        sys.stderr.write("this program does not feel like it\n")
        sys.exit(int(OPTIONS[OPTIONS.index("--exit") + 1]))
    if "--stubborn" in OPTIONS:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "--silent" in OPTIONS:
        time.sleep(3600)
    if "--chatty" in OPTIONS:
        threading.Thread(target=chat, daemon=True).start()
    for line in sys.stdin:
        handle(json.loads(line))
        if "stop_reading" in line:
            time.sleep(3600)
    if "--stubborn" in OPTIONS:
        time.sleep(3600)


if __name__ == "__main__":
    main()
