"""A TCP connection to the first address of a name that answers (a small "happy eyeballs", RFC 8305)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]

HEAD_START = 0.25  # seconds that an address has before the next one is tried as well


async def dial(
    host: str, port: int, find: Callable[[str, int], Awaitable[Sequence[AddressInfo]]] | None = None
) -> socket.socket:
    """A connected, non-blocking socket. Raises `socket.gaierror`, or the OSError of the first address."""
    addresses = _numeric(host, port)
    if not addresses and find is not None:
        addresses = await find(host, port)
    elif not addresses:
        addresses = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if len(addresses) == 1:
        return await _dial(addresses[0])
    dialling: set[asyncio.Task[socket.socket]] = set()
    failures: list[OSError] = []
    try:
        for number, address in enumerate(addresses, 1):
            dialling.add(asyncio.create_task(_dial(address)))
            patience = HEAD_START if number < len(addresses) else None
            while dialling:
                done, _ = await asyncio.wait(dialling, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    dialling.discard(task)
                    try:
                        return task.result()  # a second winner of the same instant is in `dialling` still
                    except OSError as error:
                        failures.append(error)
                if patience is not None:
                    break
    finally:
        for task in dialling:
            task.add_done_callback(_hang_up)
            task.cancel()
    raise failures[0] if failures else OSError(f"{host} has no address")


def _numeric(host: str, port: int) -> Sequence[AddressInfo]:
    """What an IP address stands for, without a thread and a resolver; empty for a name."""
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    try:
        return socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM, flags=flags)
    except (UnicodeError, socket.gaierror):
        return ()


def _hang_up(late: asyncio.Task[socket.socket]) -> None:
    if not late.cancelled() and late.exception() is None:
        late.result().close()


async def _dial(address: AddressInfo) -> socket.socket:
    family, kind, protocol, _, where = address
    dialled = socket.socket(family, kind, protocol)
    try:
        dialled.setblocking(False)
        await asyncio.get_running_loop().sock_connect(dialled, where)
        dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        dialled.close()
        raise
    return dialled
