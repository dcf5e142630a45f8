"""Writing to Azure: once, stamped, and every answer told as what it is; the token is in none of it."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from aiohttp import web

from runbook.azure_hands import AzureHands
from runbook.errors import MitigationError, NotSent, Refused, Uncertain
from runbook.stamps import Stamp, correlation_of
from tests.arm_server import TOKEN, Answer, ArmServer, account, arm_server, forbidden, refusal

PATH = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Sql/servers/x/databases/banking-restore-1"
STAMP = Stamp("INC-20261125-0900-abcd", "a1b2c3d4e5")
API = "2021-11-01"


async def told(server: ArmServer, directory: Path) -> MitigationError:
    """What a PUT comes to. It goes out once, and whatever is said of it holds no token."""
    before = len(server.asked)
    async with account(server, directory) as known:
        with pytest.raises(MitigationError) as caught:
            await AzureHands(known, STAMP).put(PATH, API, {"location": "westeurope"})
    assert len(server.asked) == before + 1
    said = "".join(traceback.format_exception(caught.value)) + caught.value.hint
    assert TOKEN not in said
    return caught.value


async def test_what_was_begun_says_where_to_ask_and_carries_the_stamp(tmp_path: Path) -> None:
    heard: list[tuple[str, dict[str, str]]] = []

    def begun(request: web.Request) -> web.Response:
        heard.append((request.method, {name.lower(): value for name, value in request.headers.items()}))
        links = {"Azure-AsyncOperation": "https://management.azure.com/operation/1", "x-ms-request-id": "r-1"}
        return web.json_response({"operation": "RestoreLogicalDatabase"}, status=202, headers=links)

    async with arm_server(answers={PATH: begun}) as server:
        async with account(server, tmp_path) as known:
            hands = AzureHands(known, STAMP)
            accepted = await hands.put(PATH, API, {"location": "westeurope"})
            assert (accepted.status, accepted.request) == (202, "r-1")
            assert accepted.operation == "https://management.azure.com/operation/1"
            await hands.patch(PATH, API, {"tags": {}})
        assert [method for method, _ in heard] == ["PUT", "PATCH"]
        joined = correlation_of(STAMP.incident, STAMP.act)
        for _, headers in heard:
            assert headers["x-ms-correlation-request-id"] == headers["x-ms-client-request-id"] == joined
            assert headers["authorization"] == f"Bearer {TOKEN}"
        assert server.asked[0] == f"{PATH}?api-version={API}"
    assert correlation_of(STAMP.incident, "ffffffffff") != joined


async def test_a_no_is_a_no_in_azure_s_words_and_is_not_asked_again(tmp_path: Path) -> None:
    action = "Microsoft.Sql/servers/databases/write"
    answers = (
        (forbidden(action, PATH), f"tech-lead@contoso.com may not {action}", "docs/rbac/azure-responder-role.json"),
        (refusal(429, "TooManyRequests", "…", Retry_After="17"), "try again in 17 s; nothing was done", ""),
        (refusal(409, "DatabaseAlreadyExists", "It is there."), "(409): DatabaseAlreadyExists: It is there.", ""),
        (refusal(401, "ExpiredAuthenticationToken", "Expired."), "does not accept the login (401)", "new token into"),
        (web.Response(status=307, headers={"Location": "http://127.0.0.1:9/elsewhere"}), "refused (307)", ""),
    )
    async with arm_server() as server:
        for answer, words, hint in answers:
            server.answers = {PATH: answer_of(answer)}
            error = await told(server, tmp_path)
            assert isinstance(error, Refused), words
            assert words in str(error)
            assert hint in error.hint


async def test_no_answer_is_uncertain_and_no_connection_is_not_sent(tmp_path: Path) -> None:
    def cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response(status=200)

    async with arm_server() as server:
        for answer in (cut, answer_of(refusal(503, "ServiceUnavailable", "Later."))):
            server.answers = {PATH: answer}
            assert isinstance(await told(server, tmp_path), Uncertain)
        server.answers = {}
        async with account(server, tmp_path) as known:
            url = server.url
            (tmp_path / "token").unlink()
            with pytest.raises(NotSent, match="nothing was sent"):
                await AzureHands(known, STAMP).post(f"{PATH}/operations/1/cancel", API)
    (tmp_path / "token").write_text(TOKEN)
    async with account(ArmServer(url=url), tmp_path) as known:  # nobody listens there any more
        with pytest.raises(NotSent, match="cannot connect to Azure"):
            await AzureHands(known, STAMP).put(PATH, API, {})


def answer_of(response: web.Response) -> Answer:
    return lambda request: response
