"""A mitigation that is added is one module and one row of the table: the console, the runbook file know it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook.known import MITIGATIONS, Known
from runbook.mitigations import TABLE, table_of
from runbook.playbook import Playbook
from runbook.playbook_file import PlaybookError
from runbook.response_file import load
from tests.pilot.acting import stage
from tests.pilot.hello_mitigation import Hello
from tui.keys import act_keys, checked_keymap

ROW = Known("V", f"{Hello.__module__}:Hello", ("word",))
FILE = "mitigations: {hello: {defaults: {word: ahoy}}}"


@pytest.fixture(autouse=True)
def _added() -> Iterator[None]:
    MITIGATIONS["hello"] = ROW
    yield
    del MITIGATIONS["hello"]


def test_it_has_its_key_in_the_settings_and_nobody_else_gets_it(tmp_path: Path) -> None:
    assert list(TABLE)[-1] == "hello"
    assert isinstance(TABLE["hello"], Hello)
    assert checked_keymap({"hello": "Y"}, act_keys(TABLE.values())) == {"hello": "Y"}

    file = tmp_path / "runbook.yaml"
    file.write_text("commands: {x: {key: V, label: x, sentence: x, argv: [x]}}")
    with pytest.raises(PlaybookError, match="V is taken: it is the key of hello"):
        load(file)
    file.write_text("mitigations: {hello: {defaults: {words: ahoy}}}")
    with pytest.raises(PlaybookError, match="hello has no such field to give a default for; did you mean word"):
        load(file)


async def test_it_is_in_the_footer_and_makes_a_plan_with_the_defaults_of_the_runbook_file(tmp_path: Path) -> None:
    file = tmp_path / "runbook.yaml"
    file.write_text(FILE)
    async with stage(tmp_path, playbook=load(file).playbook) as at:
        await at.console.says("V hello")
        await at.select("account-service")
        await at.console.press("question_mark")
        await at.console.press(*["down"] * 8)
        await at.console.says("Say hello to a pod, which changes nothing")
        await at.console.press("escape")
        await at.console.press("right", "down")
        screen = await at.plan("V")
        assert screen.plan is not None
        assert screen.plan.title.startswith("ahoy, pod/")
        await at.confirm(screen)
        await at.console.says("greeted account-service")


def test_a_row_that_names_something_else_is_told() -> None:
    MITIGATIONS["hello"] = Known("Z", "pathlib:Path")
    with pytest.raises(TypeError, match="pathlib:Path is not a mitigation"):
        table_of(Playbook())
