"""Equivalent commands that name their cluster: pasted into any shell, whatever its context, they mean the plan's."""

from __future__ import annotations

import re
import shlex

_NOWHERE = ("", "in-cluster")  # what needs no context, or is in no kubeconfig
_FLAGS = {"kubectl ": "--context", "helm ": "--kube-context"}
# A command that stands in a sentence, as advice has them. A sentence may also speak of kubectl, without a verb of it.
_VERBS = "-n|api-resources|apply|auth|delete|describe|get|logs|rollout|uncordon"
_CURE = re.compile(rf"(?<![\w./-])(?:kubectl (?=(?:{_VERBS}) )|helm (?=list ))")


def addressed(command: str, context: str, kubeconfig: str | None) -> str:
    """``kubectl scale …`` as ``kubectl --context CONTEXT scale …``, with the kubeconfig if one was named.

    ``helm history …`` likewise. What is neither, or names its context already, stays as it is: what the runbook file
    adds says itself where it acts.
    """
    head = command.partition("\n")[0]
    for program, flag in _FLAGS.items():
        if head.startswith(program) and f" {flag}" not in head:
            return f"{program}{_where(flag, context, kubeconfig)}{command.removeprefix(program)}"
    return command


def addressed_within(text: str, context: str, kubeconfig: str | None) -> str:
    """The same for the commands that stand in a sentence of ours: ``wait; then kubectl delete secret …``."""

    def named(found: re.Match[str]) -> str:
        return found[0] + _where(_FLAGS[found[0]], context, kubeconfig)

    return _CURE.sub(named, text)


def _where(flag: str, context: str, kubeconfig: str | None) -> str:
    words = [
        *([flag, context] if context not in _NOWHERE else []),
        *(["--kubeconfig", kubeconfig] if kubeconfig else []),
    ]
    return "".join(f"{shlex.quote(word)} " for word in words)
