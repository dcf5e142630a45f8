"""Nothing but the gate can write: no other module can reach what sends a write, nor could send one of its own.

Read from the source, so that a module which nobody thought of counts, too. People are told things by
`incident.channels`, which knows no cluster; the drill is the other end of the wire.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("runbook", "probes", "incident", "widgets", "tui")
TOLD = (ast.Import, ast.ImportFrom, ast.Call, ast.Constant, ast.Attribute)
WRITES = {"POST", "PUT", "PATCH", "DELETE"}
STARTING = ("subprocess", "pty", "multiprocessing")  # modules that are for nothing else
OF_OS = ("posix_spawn", "fork", "system", "popen", "exec", "spawn")  # how the names of `os` begin
TELLING = [
    name.encode()
    for name in (
        *("hands", "Hands", "launch", "exec_stream", "sql_connection", ".read_only"),
        *(f'"{verb}"' for verb in sorted(WRITES)),
        *(*STARTING, "create_subprocess", "os.", "from os "),
    )
]
"""A file without any of them, which most are, is none of those that are asked for here, and need not be parsed."""


@cache
def sources() -> list[tuple[str, list[ast.AST]]]:
    """(module, what is in it) of all that may write, of everything that runs on the person's side."""
    found: list[tuple[str, list[ast.AST]]] = []
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if not any(name in (text := path.read_bytes()) for name in TELLING):
                continue
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            nodes = running(ast.parse(text))
            found.append((name, [node for node in nodes if isinstance(node, TOLD)]))
    return found


def running(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node that is there when the program runs: what is only for type checkers imports nothing."""
    inside = [tree]
    while inside:
        for node in ast.iter_child_nodes(inside.pop()):
            if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
                continue
            yield node
            inside.append(node)


def imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.module:
        return {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return set()


def who_imports(module: str) -> set[str]:
    return {name for name, nodes in sources() if any(module in imported(node) for node in nodes)}


def called(node: ast.AST) -> str:
    """The last name of what is called."""
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def starts(node: ast.AST) -> bool:
    """Whether this is a way to start a process: of asyncio, of os, or a module that is for nothing else."""
    if isinstance(node, ast.Import):
        return any(alias.name.split(".")[0] in STARTING for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        names = [alias.name for alias in node.names]
        return node.module in STARTING or (node.module == "os" and any(name.startswith(OF_OS) for name in names))
    if isinstance(node, ast.Attribute):
        of_os = isinstance(node.value, ast.Name) and node.value.id == "os" and node.attr.startswith(OF_OS)
        return of_os or node.attr.startswith("create_subprocess")
    return called(node).startswith("create_subprocess")


@pytest.mark.parametrize(
    ("hand", "users"),
    [
        ("runbook.hands", {"runbook.gate"}),
        ("runbook.azure_hands", {"runbook.hands"}),
        ("runbook.sql_hands", {"runbook.hands"}),
        ("runbook.launch", {"runbook.hands"}),
        ("runbook.exec_stream", {"runbook.hands"}),
        ("runbook.sql_connection", {"runbook.sql_hands", "runbook.sql_reading"}),  # what is read is rolled back
    ],
)
def test_only_the_gate_reaches_what_can_write(hand: str, users: set[str]) -> None:
    assert who_imports(hand) == users


def test_hands_are_made_in_one_place_after_everything_was_checked() -> None:
    makers = [name for name, nodes in sources() for node in nodes if called(node) == "Hands"]
    assert makers == ["runbook.gate"]
    gate = ast.parse((ROOT / "runbook" / "gate.py").read_text(encoding="utf-8"))
    (carry_out,) = (node for node in ast.walk(gate) if getattr(node, "name", "") == "carry_out")
    order = {called(node): getattr(node, "lineno", 0) for node in ast.walk(carry_out)}
    steps = [order[step] for step in ("_check", "again", "check_same", "_check_standing", "intend", "Hands")]
    assert steps == sorted(steps)


def test_nobody_else_knows_a_verb_that_writes() -> None:
    found = {
        name
        for name, nodes in sources()
        for node in nodes
        if isinstance(node, ast.Constant) and node.value in WRITES and not name.startswith("incident.channels.")
    }
    # An access review is POSTed, and creates nothing.
    assert found == {"runbook.hands", "runbook.azure_hands", "probes.cluster"}


def test_a_review_is_all_that_a_probes_connection_can_post() -> None:
    cluster = ast.parse((ROOT / "probes" / "cluster.py").read_text(encoding="utf-8"))
    posting = [
        function.name
        for function in ast.walk(cluster)
        if isinstance(function, ast.AsyncFunctionDef)
        and any(isinstance(node, ast.Constant) and node.value == "POST" for node in ast.walk(function))
    ]
    assert posting == ["review"]


def test_programs_are_started_by_the_hands_or_only_to_look() -> None:
    found = {name for name, nodes in sources() for node in nodes if starts(node)}
    only_look = {
        "runbook.helm",  # asks it for its version
        "probes.commits",  # git log
        "probes.exec_plugin",  # a kubeconfig's credential plugin
        "tui.diagnosis",  # the versions of tools, for the doctor
        "tui.drill_process",  # the simulated platform
    }
    assert found - only_look == {"runbook.launch"}


def test_read_only_is_judged_by_the_gate_alone() -> None:
    judges = {
        name
        for name, nodes in sources()
        if name.startswith("runbook.")
        for node in nodes
        if isinstance(node, ast.Attribute) and node.attr == "read_only"
    }
    assert judges == {"runbook.gate"}
