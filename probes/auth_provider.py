"""The token of a kubeconfig user with a legacy ``auth-provider`` (gcp, oidc): the official client refreshes those."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from probes import lean_kubernetes
from probes.errors import ConfigError


async def token_of(user: Mapping[str, Any]) -> str:
    """An Authorization header's value. Raises `ConfigError`, ValueError or OSError."""
    lean = await asyncio.to_thread(lean_kubernetes.load)
    configuration = lean.Configuration()
    loader = lean.KubeConfigLoader(
        config_dict={
            "current-context": "this",
            "contexts": [{"name": "this", "context": {"cluster": "this", "user": "this"}}],
            "clusters": [{"name": "this", "cluster": {"server": "https://not.asked"}}],
            "users": [{"name": "this", "user": dict(user)}],
        },
        config_base_path="",
    )
    try:
        await loader.load_and_set(configuration)
    except lean.ConfigException as error:
        raise ConfigError(str(error)) from error
    return str(configuration.api_key.get("BearerToken", ""))
