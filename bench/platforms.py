"""The embedded platform as a server of its own process, so that its cost is not the console's."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

BIG = ("--pods", "5000", "--nodes", "500", "--events", "10000")


@dataclass(frozen=True, slots=True)
class Served:
    """A running platform, and a private home for the programs that are measured on it."""

    kubeconfig: str
    config: str
    home: Path
    pid: int = 0  # of the server

    @property
    def environment(self) -> dict[str, str]:
        names = ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
        return {"HOME": str(self.home), "KUBECONFIG": self.kubeconfig} | {name: str(self.home / name) for name in names}

    def console(self) -> list[str]:
        """The console on this platform."""
        return [str(Path(sys.executable).with_name("warroom")), "--config", self.config]

    def kubectl(self) -> float:
        """Seconds that ``kubectl get pods,nodes,events -A`` takes, its output thrown away."""
        before = time.perf_counter()
        subprocess.run(
            ["kubectl", "get", "pods,nodes,events", "-A"],
            env=os.environ | self.environment,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return time.perf_counter() - before


@contextmanager
def served(*arguments: str, module: str = "drill.serve", azure: bool = False) -> Iterator[Served]:
    """``python -m drill.serve`` with these arguments (or another module that announces itself so), in the block.

    Its Azure is not looked at unless ``azure`` says so: it has figures of its own.
    """
    with tempfile.TemporaryDirectory(prefix="warroom-bench-") as home:
        child = subprocess.Popen(
            [sys.executable, "-m", module, "--with-parent", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            said: dict[str, Any] = json.loads(child.stdout.readline())
            platform = Served(said["kubeconfig"], said["config"], Path(home), child.pid)
            yield platform if azure else without_azure(platform)
        finally:
            child.stdin.close()
            child.wait(15)
            child.stdout.close()


def without_azure(platform: Served) -> Served:
    """The same platform, and settings that do not name its Azure."""
    before, _, _ = Path(platform.config).read_text().partition("[azure]")  # the drill's last table
    config = platform.home / "without-azure.toml"
    config.write_text(before)
    return replace(platform, config=str(config))


class Writer:
    """Writes one event after the other to a platform's API, over one connection."""

    def __init__(self, platform: Served) -> None:
        config = yaml.safe_load(Path(platform.kubeconfig).read_text())
        name = config["current-context"]
        context = _named(config["contexts"], name, "context")
        cluster = _named(config["clusters"], context["cluster"], "cluster")
        user = _named(config["users"], context["user"], "user")
        trust = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode())
        self._namespace = context["namespace"]
        self._headers = {"Authorization": f"Bearer {user['token']}", "Content-Type": "application/json"}
        self._connection = http.client.HTTPSConnection(urlsplit(cluster["server"]).netloc, context=trust, timeout=10)

    def event(self, reason: str) -> float:
        """Create a Warning event of this reason; returns the instant just before it was sent."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": reason.lower(), "namespace": self._namespace},
            "involvedObject": {"kind": "Pod", "namespace": self._namespace, "name": "bench"},
            "reason": reason,
            "message": f"{reason} was written",
            "type": "Warning",
            "count": 1,
            "firstTimestamp": moment,
            "lastTimestamp": moment,
        }
        path = f"/api/v1/namespaces/{self._namespace}/events"
        before = time.perf_counter()
        self._connection.request("POST", path, json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        answer.read()
        if answer.status != 201:
            raise RuntimeError(f"the event was not created: {answer.status}")
        return before


def _named(entries: Sequence[dict[str, Any]], name: str, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(entry[kind] for entry in entries if entry["name"] == name)
    return found
