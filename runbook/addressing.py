"""Equivalent commands that name their cluster: pasted into any shell, whatever its context, they mean the plan's."""

from __future__ import annotations

import re
import shlex

_KUBECTL = "kubectl "
# A command that stands in a sentence, as advice has them. A sentence may also speak of kubectl, without a verb of it.
_VERBS = "-n|api-resources|apply|auth|delete|describe|get|logs|rollout|uncordon"
_CURE = re.compile(rf"(?<![\w./-])(?:kubectl (?=(?:{_VERBS}) )|helm (?=list ))")


def addressed(command: str, context: str, kubeconfig: str | None) -> str:
    """``kubectl scale …`` as ``kubectl --context CONTEXT scale …``, with the kubeconfig if one was named.

    What is no kubectl command, or names its context already, stays as it is: helm's have ``--kube-context``, and what
    the runbook file adds says itself where it acts.
    """
    head = command.partition("\n")[0]
    if not head.startswith(_KUBECTL) or " --context" in head:
        return command
    return f"{_KUBECTL}{_where('--context', context, kubeconfig)}{command.removeprefix(_KUBECTL)}"


def addressed_within(text: str, context: str, kubeconfig: str | None) -> str:
    """The same for the commands that stand in a sentence of ours: ``wait; then kubectl delete secret …``."""

    def named(found: re.Match[str]) -> str:
        flag = "--context" if found[0] == _KUBECTL else "--kube-context"
        return found[0] + _where(flag, context, kubeconfig)

    return _CURE.sub(named, text)


def _where(flag: str, context: str, kubeconfig: str | None) -> str:
    words = [*([flag, context] if context else []), *(["--kubeconfig", kubeconfig] if kubeconfig else [])]
    return "".join(f"{shlex.quote(word)} " for word in words)
