"""What doctor says of the databases' mitigations: allowed or not, reached or not; nothing where there is nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from drill.azure.estate import Estate
from drill.azure.server import ArmServer
from drill.clock import Clock
from runbook.mitigations import TABLE
from tests.drill.database_desk import ESTATE, GROUP, SUBSCRIPTION
from tests.tds_server import Answer, Table, sql_server
from tui.azure_settings import AzureSettings
from tui.check import Level
from tui.outside_checks import check
from tui.settings import Settings
from tui.sql_settings import SqlSettings


def answer(text: str) -> Answer:
    return Table(("a", "b"), [["NULL", 1]] if "HAS_PERMS" in text else [[1, 1]])


async def test_each_is_told_as_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await check(TABLE, Settings(), 60.0, read_only=False) == []
    clock = Clock(0.0)
    arm = ArmServer(Estate(ESTATE, clock, 0.0))
    await arm.start()
    token = tmp_path / "token"
    await asyncio.to_thread(arm.keep_token, token)
    azure = AzureSettings(subscription=SUBSCRIPTION, resource_groups=(GROUP,), endpoint=arm.url, token_file=str(token))
    try:
        async with sql_server(tmp_path, answer=answer) as server:
            sql = SqlSettings(
                server=server.host,
                database="BankingAccountsDb",
                port=server.port,
                user_env="BANKING_SQL_USER",
                password_env="BANKING_SQL_PASSWORD",
                ca_file=str(server.ca_file),
            )
            settings = Settings(azure=azure, sql=sql)
            arm.faults.forbidden = {"Microsoft.Sql/servers/databases/operations/cancel/action"}
            found = {each.name: each for each in await check(TABLE, settings, 60.0, read_only=False)}
            assert set(found) == {"restore-database", "scale-database", "kill-session"}
            assert found["scale-database"].level is Level.OK
            assert found["scale-database"].found == f"Z allowed in {GROUP} (2 actions, by this login's roles)"
            assert "do not have Microsoft.Sql/servers/databases/operations/cancel" in found["restore-database"].found
            assert "azure-responder-role.json" in found["restore-database"].advice
            assert "BANKING_SQL_USER is not set" in found["kill-session"].found

            monkeypatch.setenv("BANKING_SQL_USER", "warroom")
            monkeypatch.setenv("BANKING_SQL_PASSWORD", "correct-horse")
            found = {each.name: each for each in await check(TABLE, settings, 60.0, read_only=True)}
            assert found["kill-session"].found == (
                "W 127.0.0.1/BankingAccountsDb answers; this login may end sessions; this console is read-only"
            )
    finally:
        await arm.stop()
        clock.stop()
