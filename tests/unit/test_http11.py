"""Connections of the probes' own HTTP: one that is given up leaves nothing behind that would hinder the next."""

from __future__ import annotations

import asyncio
import ssl

from drill.certificate import self_signed
from probes.http11 import Origin, Wire


async def test_connecting_can_be_given_up_at_any_instant_and_the_next_one_succeeds() -> None:
    certificate = self_signed()
    trusting = ssl.create_default_context(cadata=certificate.pem.decode())

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    tls = certificate.server_context()
    async with asyncio.timeout(60), await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        origin = Origin("127.0.0.1", server.sockets[0].getsockname()[1], trusting)
        steps, given_up = 0, True
        while given_up:
            opening = asyncio.create_task(Wire.open(origin))
            for _ in range(steps):
                await asyncio.sleep(0)
            given_up = opening.cancel()
            (opened,) = await asyncio.gather(opening, return_exceptions=True)
            if isinstance(opened, Wire):
                opened.close()
            # A transport that outlived its socket would claim the number that the next socket gets.
            (await Wire.open(origin)).close()
            steps += 1

    assert steps > 3
