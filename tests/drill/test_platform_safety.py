"""The platform is this machine's alone: loopback only, by its own names only, and each address with its own token."""

from __future__ import annotations

import asyncio
import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from drill.control import Remote
from drill.platform import Running, running
from drill.team import ports
from probes.errors import LoginExpired
from runbook.sql_reading import ask
from runbook.sql_server import Login
from tests.drill.database_desk import PLACE
from tests.drill.test_azure_sql import known

EVIL = {"Host": "rebound.example.com"}


def addresses(port: int) -> set[str]:
    """Where this machine listens on a port, as the kernel has it (proc_net_tcp(5), of both families)."""
    found = set()
    for family in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{family}").read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            host, _, number = local.partition(":")
            if state == "0A" and int(number, 16) == port:
                words = bytes.fromhex(host)
                found.add(str(ipaddress.ip_address(b"".join(words[n : n + 4][::-1] for n in range(0, len(words), 4)))))
    return found


async def status(session: aiohttp.ClientSession, url: str, token: str = "", **headers: str) -> int:
    sent = {**headers, **({"Authorization": f"Bearer {token}"} if token else {})}
    async with session.get(url, headers=sent, ssl=False) as answer:
        await answer.read()
        return answer.status


async def test_every_address_is_loopback_only_refuses_other_hosts_and_other_tokens() -> None:
    async with (
        running(PLACE, organised=True, people=("anna",)) as told,
        aiohttp.ClientSession() as session,
    ):
        platform, control = told.platform, told.platform.control
        assert platform.arm is not None
        assert control is not None
        every = [*ports(told.urls), urlsplit(control.url).port or 0]
        assert len(every) == len({*every}) == 6
        assert [addresses(port) for port in every] == [{"127.0.0.1"}] * 6

        tokens = {
            "kubernetes": platform.server.tokens["admin"],
            "anna": platform.server.tokens["anna"],
            "azure": platform.arm.token,
            "control": control.token,
        }
        assert len({*tokens.values(), *platform.server.tokens.values()}) == 6
        doors = {
            "kubernetes": (f"{told.urls['kubernetes']}/api/v1/pods", ("kubernetes", "anna"), 403),
            "azure": (f"{told.urls['azure']}/subscriptions/{platform.arm.estate.part.subscription}", ("azure",), 401),
            "control": (f"{control.url}/state", ("control",), 401),
        }
        for name, (url, keys, without) in doors.items():
            assert await status(session, url) == without, name
            for key, token in tokens.items():
                expected = {200, 400, 404} if key in keys else {401}  # ARM wants an api-version, once one is in
                assert await status(session, url, token) in expected, (name, key)
                assert await status(session, url, token, **EVIL) == 421, (name, key)
        for name in ("api", "login"):  # a public health endpoint has no token, but its own name
            assert await status(session, told.urls[name]) in (200, 503)
            assert await status(session, told.urls[name], **EVIL) == 421
        await _sql_wants_its_own_token(told, tokens)
        await _what_participants_get_says_nothing_of_the_organiser(told)


async def _sql_wants_its_own_token(told: Running, tokens: dict[str, str]) -> None:
    for key, token in tokens.items():
        server = known(told, login=Login(token=token))
        if key == "azure":
            assert (await ask(server, "SELECT 1 AS one")).rows == (("1",),)
        else:
            with pytest.raises(LoginExpired):
                await ask(server, "SELECT 1 AS one")


async def _what_participants_get_says_nothing_of_the_organiser(told: Running) -> None:
    """They get the whole directory, and may copy it; the organiser's file is elsewhere."""
    control = told.platform.control
    assert told.control is not None
    assert control is not None
    directory = told.kubeconfig.parent
    assert directory not in told.control.parents
    assert told.control.stat().st_mode & 0o777 == 0o600
    assert told.control.parent.stat().st_mode & 0o777 == 0o700
    port = str(urlsplit(control.url).port)
    for path in directory.iterdir():
        if path.is_file():
            assert path.stat().st_mode & 0o777 == 0o600, path
            text = path.read_text()
            assert control.token not in text
            assert port not in text
    assert (await asyncio.to_thread(Remote(told.control).state))["scenario"]["name"] == PLACE.name
