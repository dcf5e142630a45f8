"""The names we need of the official client, without running its heavy package ``__init__``s.

``import kubernetes`` pulls in both clients, the dynamic one, the informer, the WebSocket stack …: 330 ms, and
530 ms with ``kubernetes.aio``. The configuration loader alone, which is all that `probes.auth_provider` uses,
needs about 200 ms, half of it aiohttp (2 cores, Python 3.11). So the two outer packages are stood
in for by empty modules with the right ``__path__`` while the inner modules are imported, and are taken away
again afterwards: a later ``import kubernetes`` runs the real ones and finds the inner modules ready.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_importing = threading.Lock()
_STOOD_IN_FOR = ("kubernetes", "kubernetes.aio")


@dataclass(frozen=True, slots=True)
class Lean:
    """The classes of ``kubernetes.aio`` that carry credentials."""

    KubeConfigLoader: Any
    Configuration: Any
    ConfigException: type[Exception]


@contextmanager
def stand_ins() -> Iterator[None]:
    """Let inner modules of ``kubernetes.aio`` be imported without the outer ones; does nothing if those are there."""
    with _importing:
        placed: list[str] = []
        if "kubernetes" not in sys.modules:
            spec = importlib.util.find_spec("kubernetes")  # finds, does not execute
            if spec is None or spec.submodule_search_locations is None:
                raise ModuleNotFoundError("the Python package 'kubernetes' is not installed", name="kubernetes")
            for name in _STOOD_IN_FOR:
                inner = name.split(".")[1:]
                module = types.ModuleType(name)
                module.__path__ = [str(Path(place, *inner)) for place in spec.submodule_search_locations]
                module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
                sys.modules[name] = module
                placed.append(name)
        try:
            yield
        finally:
            for name in placed:
                sys.modules.pop(name, None)


def load() -> Lean:
    """Import what is needed (about 200 ms the first time: call it in a thread)."""
    with stand_ins():
        from kubernetes.aio.client.configuration import Configuration
        from kubernetes.aio.config.config_exception import ConfigException
        from kubernetes.aio.config.kube_config import KubeConfigLoader

    return Lean(KubeConfigLoader, Configuration, ConfigException)
