"""Equivalent commands that name their cluster: pasted into any shell, whatever its context, they mean the plan's."""

from __future__ import annotations

import shlex

_KUBECTL = "kubectl "


def addressed(command: str, context: str, kubeconfig: str | None) -> str:
    """``kubectl scale …`` as ``kubectl --context CONTEXT scale …``, with the kubeconfig if one was named.

    What is no kubectl command, or names its context already, stays as it is: helm's have ``--kube-context``, and what
    the runbook file adds says itself where it acts.
    """
    head = command.partition("\n")[0]
    if not head.startswith(_KUBECTL) or " --context" in head:
        return command
    where = [*(["--context", context] if context else []), *(["--kubeconfig", kubeconfig] if kubeconfig else [])]
    return " ".join(["kubectl", *map(shlex.quote, where), command.removeprefix(_KUBECTL)])
