"""The real Helm for tests that need one: named in WARROOM_HELM_V3 and WARROOM_HELM_V4, or the one on PATH."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

MAJORS = (3, 4)
PATIENCE = 90.0

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: bank\nversion: 0.1.0\nappVersion: '1.0.0'\n",
    "values.yaml": "tag: 1.0.0\nreplicas: 2\npool: '5'\nextra: false\n",
    "templates/pay.yaml": """apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}-pay
  labels: {app: pay, helm.sh/chart: "bank-{{ .Chart.Version }}"}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: pay}}
  template:
    metadata: {labels: {app: pay}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: pay
          image: bankingacr.example/pay:{{ .Values.tag }}
          env: [{name: POOL, value: {{ .Values.pool | quote }}}]
""",
    "templates/settings.yaml": """apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-settings"}
data: {pool: {{ .Values.pool | quote }}}
---
apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}-pay"}
spec: {selector: {app: pay}, ports: [{port: 80, protocol: TCP}]}
{{ if .Values.extra }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-extra"}
data: {a: b}
{{ end }}
""",
}


@cache
def found(major: int) -> str:
    """The program, empty if there is none of this major version."""
    for program in (os.environ.get(f"WARROOM_HELM_V{major}", ""), shutil.which("helm") or ""):
        if program and Path(program).is_file() and _major(program) == major:
            return program
    return ""


def _major(program: str) -> int:
    told = subprocess.run(
        [program, "version", "--template", "{{.Version}}"], capture_output=True, text=True, timeout=30, check=False
    ).stdout
    number = told.removeprefix("v").partition(".")[0]
    return int(number) if number.isdigit() else 0


def needed(major: int) -> str:
    """The program. Skips the test where there is none."""
    program = found(major)
    if not program:
        pytest.skip(f"no Helm {major}: name one in WARROOM_HELM_V{major}, or have it on PATH")
    return program


class RealHelm:
    """Helm as somebody else at a shell uses it; ``directory`` is for its chart and its caches."""

    def __init__(self, program: str, kubeconfig: Path, namespace: str, directory: Path) -> None:
        self.program = program
        self.namespace = namespace
        self.chart = directory / "bank"
        self._kubeconfig = kubeconfig
        self._directory = directory
        for name, text in CHART.items():
            path = self.chart / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    async def run(self, *arguments: str, fails: bool = False) -> str:
        """What it prints."""
        where = ("--kubeconfig", str(self._kubeconfig), "--namespace", self.namespace)
        process = await asyncio.create_subprocess_exec(
            self.program,
            *arguments,
            *where,
            env=os.environ | {"HELM_CACHE_HOME": str(self._directory / "cache"), "HOME": str(self._directory)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
        assert (process.returncode != 0) is fails, (arguments, out.decode(), err.decode())
        return (err if fails else out).decode()

    async def install(self, release: str, *more: str, **values: str) -> None:
        await self.run("install", release, str(self.chart), *_set(values), *more)

    async def upgrade(self, release: str, *more: str, **values: str) -> None:
        await self.run("upgrade", release, str(self.chart), "--reset-values", *_set(values), *more)

    async def history(self, release: str) -> list[dict[str, Any]]:
        """Oldest first."""
        found: list[dict[str, Any]] = json.loads(await self.run("history", release, "-o", "json"))
        return found

    async def manifest(self, release: str) -> str:
        return await self.run("get", "manifest", release)


def _set(values: dict[str, str]) -> list[str]:
    """As flags; the pool is a text that looks like a number."""
    flags = []
    for key, value in values.items():
        flags += ["--set-string" if key == "pool" else "--set", f"{key}={value}"]
    return flags
