"""The probes of Azure, as the settings want them. Only imported where the settings name a subscription."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probes.azure.account import Account

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.azure_settings import AzureSettings


def account_of(settings: AzureSettings) -> Account:
    """The way to the settings' subscription. Nothing is asked or imported yet; close it at the end."""
    return Account(
        settings.subscription,
        settings.resource_groups,
        endpoint=settings.endpoint,
        authority=settings.authority,
        token_file=settings.token_file,
    )


def probes_of(account: Account, settings: AzureSettings) -> Sequence[Any]:
    """Activity, databases and alerts, in this order."""
    from probes.azure.activity import ActivityProbe
    from probes.azure.alerts import AlertsProbe
    from probes.azure.databases import DatabasesProbe

    return (
        ActivityProbe(account, settings.activity_interval, settings.activity_window),
        DatabasesProbe(account, settings.databases, settings.databases_interval),
        AlertsProbe(account, settings.alerts_interval),
    )
