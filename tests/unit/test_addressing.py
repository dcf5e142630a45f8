"""Commands that a person copies mean the cluster that the console looks at, whatever shell they end up in."""

from __future__ import annotations

import pytest

from runbook.addressing import addressed, addressed_within


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("kubectl get pods", "kubectl --context 'my prod' --kubeconfig /k get pods"),
        ("helm history bank -n x", "helm --kube-context 'my prod' --kubeconfig /k history bank -n x"),
        ("kubectl --context other get pods", "kubectl --context other get pods"),
        ("helm rollback bank 1 --kube-context other", "helm rollback bank 1 --kube-context other"),
        ("kubectl apply -f - <<EOF\nx: --context\nEOF", None),
        ("az sql db show", "az sql db show"),
    ],
)
def test_a_command_names_its_cluster_once(command: str, said: str | None) -> None:
    told = addressed(command, "my prod", "/k")
    assert told == (said or command.replace("kubectl", "kubectl --context 'my prod' --kubeconfig /k", 1))


def test_commands_within_a_sentence_do_too_and_words_about_kubectl_stay() -> None:
    told = addressed_within("as kubectl sends it; kubectl delete secret a -n b, or helm list -n b", "prod", None)
    assert told == (
        "as kubectl sends it; kubectl --context prod delete secret a -n b, or helm --kube-context prod list -n b"
    )


def test_within_a_cluster_there_is_no_context_to_name() -> None:
    assert addressed("kubectl get pods", "in-cluster", None) == "kubectl get pods"
