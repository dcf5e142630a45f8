"""The machines under the nodes: what becomes of a node whose machine stops, and of its pods when that comes back.

A machine that stops says nothing: its pods stay ready, and in the endpoints, until the node controller misses the
kubelet's lease (`_GRACE`); only then are they taken out, and five minutes later deleted. Their ends cannot be reported:
they stay Terminating until the machine is back, whoever deletes them.
"""

from __future__ import annotations

from typing import Any, Final

from drill import pods, statuses
from drill.clock import Timer
from drill.kubelet import Kubelets
from drill.nodes import NOT_READY, Nodes
from drill.store import ObjectStore
from drill.world import NODE, World

Json = dict[str, Any]

STOPPED: Final = "stopped"
_GRACE: Final = 40.0  # seconds; the node controller's node-monitor-grace-period, as AKS has it


class Machines:
    """Stops and starts the machines of one world, by the names of their nodes."""

    def __init__(self, world: World, nodes: Nodes, kubelets: Kubelets) -> None:
        self._world = world
        self._nodes = nodes
        self._kubelets = kubelets
        self._missed: dict[str, Timer] = {}  # until a node is found to be silent

    def stop(self, node: str) -> None:
        """From now on nothing on it answers; the cluster notices later."""
        if node not in self._missed:
            self._kubelets.freeze(node)
            silent = self._world.clock.after(_GRACE, lambda: self._nodes.afflict(node, NOT_READY))
            self._missed[node] = silent

    def start(self, node: str) -> None:
        """It boots: what was deleted meanwhile goes, all else on it starts again."""
        silent = self._missed.pop(node, None)
        if silent is None:
            return
        silent.cancel()
        found = self._world.store.get(NODE, None, node)
        if found is not None:
            message = f"Node {node} has been rebooted, boot id: {self._world.suffix(8)}"
            self._world.events.say(NODE, found, "Rebooted", message, warning=True, component="kubelet", host=node)
        self._kubelets.reboot(node)
        self._kubelets.thaw(node)
        self._nodes.afflict(node, "")

    def answers(self, node: str) -> bool:
        """Whether the machine of a node is there, whatever the cluster knows of it."""
        return node not in self._missed


def check_reachable(store: ObjectStore, pod: Json, path: str) -> None:
    """Whether the API server gets through to the kubelet of a pod, for its logs (``path`` containerLogs) or an exec.

    Raises `statuses.ApiError` (500) in the API server's words, where the node is known not to be ready.
    """
    node = store.get(NODE, None, pod["spec"].get("nodeName", ""))
    if node is None or pods.is_ready(node):
        return
    address = next(one["address"] for one in node["status"]["addresses"] if one["type"] == "InternalIP")
    meta = pod["metadata"]
    where = f"https://{address}:10250/{path}/{meta['namespace']}/{meta['name']}"
    raise statuses.ApiError(500, "InternalError", f'Get "{where}": dial tcp {address}:10250: i/o timeout')
