"""The environment's word: production is never missed, and nothing unknown is called safe."""

from __future__ import annotations

import pytest

from tui.production import Environment, environment

PROD = ("*prod*",)


@pytest.mark.parametrize(
    ("context", "namespaces", "word"),
    [
        ("aks-banking-prod", ("default",), Environment.PRODUCTION),
        ("AKS-PROD", (), Environment.PRODUCTION),
        ("aks-shared", ("banking-platform-prod",), Environment.PRODUCTION),
        ("aks-shared", ("dev", "banking-prod"), Environment.PRODUCTION),
        ("aks-staging", ("default",), Environment.STAGING),
        ("aks-staging", ("dev",), Environment.STAGING),
        ("aks", ("qa",), Environment.TEST),
        ("kind-kind", ("default",), Environment.DEVELOPMENT),
        ("devices", ("default",), Environment.UNCLASSIFIED),
        ("aks-banking", ("default",), Environment.UNCLASSIFIED),
    ],
)
def test_names_decide_the_word(context: str, namespaces: tuple[str, ...], word: Environment) -> None:
    assert environment(PROD, context=context, namespaces=namespaces) is word


def test_the_settings_globs_decide_what_production_is() -> None:
    assert environment(("bank-?",), context="bank-1") is Environment.PRODUCTION
    assert environment((), context="aks-prod") is Environment.UNCLASSIFIED
    assert environment(("*.bank.example",), context="x", server="api.bank.example") is Environment.PRODUCTION


def test_a_drill_is_a_drill_whatever_it_is_called() -> None:
    assert environment(PROD, context="drill-prod", drill=True) is Environment.DRILL
