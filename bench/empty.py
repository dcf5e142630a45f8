"""``python -m bench.empty``: an API server with one namespace and nothing in it, announced as `drill.serve` is."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import tempfile
from pathlib import Path

from drill.kinds import kind
from drill.server import ApiServer
from drill.store import ObjectStore

NAMESPACE = "default"


async def serve() -> None:
    store = ObjectStore()
    store.create(kind("namespaces"), {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    server = ApiServer(store)
    await server.start()
    with tempfile.TemporaryDirectory(prefix="warroom-bench-") as home:
        kubeconfig, config = Path(home) / "kubeconfig", Path(home) / "config.toml"
        cluster = {"server": server.url, "certificate-authority-data": _base64(server.ca_pem)}
        context = {"cluster": "empty", "user": "admin", "namespace": NAMESPACE}
        kubeconfig.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "empty",
                    "clusters": [{"name": "empty", "cluster": cluster}],
                    "users": [{"name": "admin", "user": {"token": server.tokens["admin"]}}],
                    "contexts": [{"name": "empty", "context": context}],
                }
            )
        )
        config.write_text(f'[cluster]\nkubeconfig = "{kubeconfig}"\n')
        print(json.dumps({"kubeconfig": str(kubeconfig), "config": str(config), "urls": {}}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        await server.stop()


def _base64(text: str | bytes) -> str:
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


if __name__ == "__main__":
    asyncio.run(serve())
