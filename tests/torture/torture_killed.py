"""A `statetool` that kills itself (SIGKILL) at its n-th effect: `python torture_killed.py N WORDS...`.

Effects are what others can see of a run: a line of the journal that becomes durable, a state that takes its place, a
request that leaves, an answer that comes back; each once before and once after it. Without N, or where N is beyond the
last one, it runs to its end and says on the last line of stderr how many there were.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import httpx

from statetool.backends.files import FileSystem


class Effects:
    """Counts effects, and ends the process at one of them."""

    def __init__(self, deadly: int) -> None:
        self.deadly = deadly
        self.count = 0

    def strike(self) -> None:
        self.count += 1
        if self.count == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        def struck(*words: Any, **named: Any) -> Any:
            self.strike()
            result = call(*words, **named)
            self.strike()
            return result

        return struck


def main() -> None:
    effects = Effects(int(sys.argv[1]))
    FileSystem.sync_data = effects.around(FileSystem.sync_data)  # type: ignore[method-assign]
    replace = FileSystem.replace
    struck = effects.around(replace)

    def replace_state(files: FileSystem, source: Any, target: Any) -> None:
        (struck if target.name in ("state.json", "state.json.journal") else replace)(files, source, target)

    FileSystem.replace = replace_state  # type: ignore[method-assign]
    send = httpx.AsyncHTTPTransport.handle_async_request

    async def send_struck(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return await send(transport, request)
        effects.strike()
        response = await send(transport, request)
        effects.strike()
        return response

    httpx.AsyncHTTPTransport.handle_async_request = send_struck  # type: ignore[method-assign]
    sys.argv = ["statetool", *sys.argv[2:]]
    from statetool.__main__ import run

    try:
        run()
    finally:
        print(effects.count, file=sys.stderr)


if __name__ == "__main__":
    main()
