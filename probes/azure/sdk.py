"""What we need of Azure's SDKs, without what their package ``__init__``s import along. Call `load` in a thread.

``import azure.mgmt.sql.aio`` unmarshals 170,000 lines of generated operations: 22 MB, and 240 ms in which nothing else
runs, thread or not (2 cores, Python 3.11); its models would cost milliseconds for every event decoded. We ask for a
dozen paths and decode them with msgspec. So the two packages are stood in for by empty modules while their
configurations are imported, which hold the API's version, the credential's scopes, the policies and the user agent; the
pipeline that sends is `azure.mgmt.core`'s. A later ``import azure.mgmt.sql`` runs the real package.

Two of the usual policies are left out on purpose: the one that registers resource providers, because it writes, and
redirects, because a token would follow them.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import logging
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

MONITOR, SQL = "azure.mgmt.monitor", "azure.mgmt.sql"

_importing = threading.Lock()


class Sdk(Struct, frozen=True):
    """The classes. All of them are ``Any``: the real types would have to be imported to be named."""

    client: Any  # azure.mgmt.core.AsyncARMPipelineClient
    request: Any  # azure.core.rest.HttpRequest
    monitor: Any  # MonitorManagementClientConfiguration
    sql: Any  # SqlManagementClientConfiguration
    request_id: Any  # RequestIdPolicy
    no_answer: tuple[type[Exception], ...]  # what the pipeline raises when nothing came back


def load() -> Sdk:
    """Import all of it (about 100 ms the first time). Raises ModuleNotFoundError where a package is missing."""
    # Its warnings say again what we tell better, and its requests are in nobody's interest.
    logging.getLogger("azure").setLevel(logging.ERROR)
    from azure.core.exceptions import AzureError
    from azure.core.pipeline.policies import RequestIdPolicy
    from azure.core.rest import HttpRequest
    from azure.mgmt.core import AsyncARMPipelineClient

    with _stand_ins(MONITOR, SQL):
        from azure.mgmt.monitor.aio._configuration import MonitorManagementClientConfiguration
        from azure.mgmt.sql.aio._configuration import SqlManagementClientConfiguration
    return Sdk(
        AsyncARMPipelineClient,
        HttpRequest,
        MonitorManagementClientConfiguration,
        SqlManagementClientConfiguration,
        RequestIdPolicy,
        (AzureError,),
    )


def pipeline(sdk: Sdk, configuration: Any, base_url: str, transport: Any) -> Any:
    """A pipeline client with the configuration's policies, in the order in which the SDK has them."""
    policies = [
        sdk.request_id(),
        configuration.headers_policy,
        configuration.user_agent_policy,
        configuration.retry_policy,
        configuration.authentication_policy,
    ]
    return sdk.client(base_url, policies=policies, transport=transport)


@contextmanager
def _stand_ins(*packages: str) -> Iterator[None]:
    """Let inner modules of the packages and of their ``aio`` be imported without the outer ones."""
    with _importing:
        placed: list[str] = []
        for package in packages:
            if package in sys.modules:
                continue
            spec = importlib.util.find_spec(package)  # finds, does not execute
            if spec is None or spec.submodule_search_locations is None:
                raise ModuleNotFoundError(f"the Python package {package} is not installed", name=package)
            for name, inner in ((package, ""), (f"{package}.aio", "aio")):
                module = types.ModuleType(name)
                module.__path__ = [str(Path(place, inner)) for place in spec.submodule_search_locations]
                module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
                sys.modules[name] = module
                placed.append(name)
        try:
            yield
        finally:
            for name in placed:
                sys.modules.pop(name, None)
