"""What the console reaches besides its cluster, by the settings: an Azure account, a SQL server. Asks nothing yet."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from probes.errors import ConfigError
from runbook.outside import NOWHERE, Outside
from runbook.sql_server import Login, SqlServer

if TYPE_CHECKING:
    from probes.azure.account import Account
    from tui.settings import Settings
    from tui.sql_settings import SqlSettings


def outside_of(
    settings: Settings, environ: Mapping[str, str] = os.environ, lender: Callable[[], Account] | None = None
) -> Outside:
    """For a gate, which closes it. ``lender`` gives the account of the panes, whose login the gate's uses as well."""
    if not settings.azure.configured and not settings.sql.configured:
        return NOWHERE
    account: Account | None = None
    if settings.azure.configured:
        from tui.azure_probes import account_of

        account = account_of(settings.azure) if lender is None else lender().beside()
    sql = server_of(settings.sql, account, environ) if settings.sql.configured else None
    return Outside(account, sql, account.close) if account is not None else Outside(sql=sql)


def server_of(settings: SqlSettings, account: Account | None, environ: Mapping[str, str]) -> SqlServer:
    """The SQL server, and how to sign in there when it is asked."""

    async def sign_in() -> Login:
        if settings.user_env:
            return Login(user=_secret(environ, settings.user_env), password=_secret(environ, settings.password_env))
        assert account is not None
        # The audience is the server's domain: database.windows.net in the public cloud.
        return Login(token=await account.token(f"https://{settings.server.partition('.')[2]}/.default"))

    return SqlServer(
        host=settings.server,
        database=settings.database,
        sign_in=sign_in,
        port=settings.port,
        ca_file=settings.ca_file,
        timeout=settings.timeout,
    )


def _secret(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise ConfigError(f"the environment variable {name} is not set", f"set {name}, and start the console anew")
    return value
