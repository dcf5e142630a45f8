"""Name resolution that cannot hold anything up: daemon threads of its own, one lookup per name at a time.

asyncio resolves names in its small default pool. A resolver that hangs (a VPN that went away) would fill that
pool, starve everything else that uses it, and keep the program from ending. It is no cache: an answer is used once.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from typing import Any

AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]


class Lookups:
    """Runs ``getaddrinfo``; whoever asks for a name that is being looked up already waits for that same answer."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, int, int], asyncio.Future[Sequence[AddressInfo]]] = {}

    async def find(self, host: str, port: int, family: int = socket.AF_UNSPEC) -> Sequence[AddressInfo]:
        """The addresses of `host`. Raises `socket.gaierror`. Cancelling gives up the wait, not the thread."""
        key = (host, port, family)
        answer = self._running.get(key)
        if answer is None:
            loop = asyncio.get_running_loop()
            answer = self._running[key] = loop.create_future()
            answer.add_done_callback(lambda done: self._settled(key, done))
            threading.Thread(target=_look, args=(loop, answer, key), name=f"lookup {host}", daemon=True).start()
        return await asyncio.shield(answer)

    def _settled(self, key: tuple[str, int, int], answer: asyncio.Future[Sequence[AddressInfo]]) -> None:
        self._running.pop(key, None)
        if not answer.cancelled():
            answer.exception()  # marks it as seen: everybody who asked may have given up by now


def _look(
    loop: asyncio.AbstractEventLoop, answer: asyncio.Future[Sequence[AddressInfo]], key: tuple[str, int, int]
) -> None:
    host, port, family = key
    found: Sequence[AddressInfo] = ()
    error: OSError | None = None
    try:
        found = socket.getaddrinfo(host, port, socket.AddressFamily(family), socket.SOCK_STREAM)
    except OSError as caught:
        error = caught
    except UnicodeError:  # a label that is empty or longer than 63 characters
        error = socket.gaierror(socket.EAI_NONAME, "not a host name")

    def settle() -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(found)

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:
        return  # the loop was closed while the resolver hung; nobody is waiting any more
