"""What the tests start leaves nothing in the repository."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent


def _environments(tree: ast.AST) -> Iterator[tuple[int, list[str | None]]]:
    """Each ``env={…}`` written out in a call: its line, and its names (None for ``**other``)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "env" and isinstance(node.value, ast.Dict):
            names = [str(key.value) if isinstance(key, ast.Constant) else None for key in node.value.keys]
            yield node.value.lineno, names


@pytest.mark.parametrize("file", sorted(TESTS.rglob("*.py")), ids=lambda file: str(file.relative_to(TESTS)))
def test_a_child_with_an_environment_of_its_own_has_a_home(file: Path) -> None:
    """Without HOME, kubectl keeps its cache in ``.kube`` of the working directory: the repository."""
    for line, names in _environments(ast.parse(file.read_text(encoding="utf-8"))):
        assert "HOME" in names or None in names, f"line {line}: a child without HOME"
