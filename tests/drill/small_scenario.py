"""A small cluster that starts in a tenth of a second: what tests of mitigations need, and nothing else.

One release that went bad (payment-service 1.5.0 crash-loops), services that are well with a past to go back to, a
StatefulSet whose image has no curl, a DaemonSet of the cluster's own, and a host outside that answers.
"""

from __future__ import annotations

from functools import partial

from drill.scenario import parse
from tests.drill.mitigation_desk import desk

SMALL = parse(
    """
name: small
title: Payments failing
severity: 2
summary: A release that crash-loops beside services that are well.
cluster: aks-small
namespace: banking-platform-prod
release: {name: banking-platform-prod, chart: banking-platform}
nodes:
  - {name: aks-system-00000}
  - {name: aks-system-00001}
  - {name: aks-system-00002}
services:
  - name: payment-service
    replicas: 3
    image: bankingacr.azurecr.io/payment-service
    strategy: Recreate
    env: {ConnectionStrings__PoolTimeoutSeconds: "5"}
  - {name: account-service, replicas: 3, image: bankingacr.azurecr.io/account-service}
  - {name: card-service, replicas: 3, image: bankingacr.azurecr.io/card-service}
  - {name: api-gateway, replicas: 4, image: bankingacr.azurecr.io/api-gateway}
  - name: session-cache
    kind: StatefulSet
    replicas: 3
    image: bankingacr.azurecr.io/session-cache
    probe: ""
    curl: false
addons:
  - {name: kube-proxy, namespace: kube-system, image: "mcr.microsoft.com/oss/kubernetes/kube-proxy:v1.34.2"}
  - {name: coredns, namespace: kube-system, kind: Deployment, image: "mcr.microsoft.com/oss/kubernetes/coredns:v1.12.1"}
externals:
  - {host: external-payment-gateway.com, latency: 0.041}
images:
  bankingacr.azurecr.io/payment-service:1.5.0: crash
script:
  - do: upgrade
    at: -4d
    chart: 1.0.0
    tags:
      account-service: 1.0.0
      api-gateway: 1.0.0
      card-service: 1.0.0
      payment-service: 1.1.1
      session-cache: 7.4.2
  - {do: upgrade, at: -3d4h, chart: 1.4.0, tags: {payment-service: 1.4.0, card-service: 1.1.0}}
  - {do: upgrade, at: -20m, chart: 1.5.0, tags: {payment-service: 1.5.0}}
commits:
  - {at: -21m, author: ada, subject: Release 1.5.0, file: values.yaml}
""",
    source="small_scenario.py",
)

village = partial(desk, scenario=SMALL)
"""A desk in front of it."""
