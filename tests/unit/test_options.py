"""What the command line makes of flags and settings: which runbook is in force, and when it is read."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from runbook.playbook import Playbook
from tui.drill_process import DrillProcess
from tui.options import from_arguments
from tui.toml_table import SettingsError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def arguments(**given: Any) -> Namespace:
    blank = dict.fromkeys(("config", "context", "kubeconfig", "store", "runbook"))
    flags = {"namespace": [], "all_namespaces": False, "read_only": False, "no_color": False}
    return Namespace(**{**blank, **flags, **given})


def written(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_without_a_runbook_everything_is_as_it_suits_any_cluster() -> None:
    runbook = from_arguments(arguments()).read_runbook()
    assert runbook.playbook == Playbook()
    assert runbook.response.name == "Neutral runbook"


def test_a_file_about_mitigations_alone_leaves_the_response_to_the_neutral_runbook(tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml", "acts: {quiet_for: 1}\n")
    runbook = from_arguments(arguments(runbook=file)).read_runbook()
    assert (runbook.playbook.quiet_for, runbook.response.name, runbook.own) == (1, "Neutral runbook", False)


def test_the_flag_wins_over_the_setting(tmp_path: Path) -> None:
    config = written(tmp_path / "config.toml", '[runbook]\nfile = "a.yaml"\n')
    written(tmp_path / "a.yaml", "acts: {quiet_for: 1}\n")
    flag = written(tmp_path / "b.yaml", "acts: {quiet_for: 2}\n")
    assert from_arguments(arguments(config=config)).read_runbook().playbook.quiet_for == 1
    assert from_arguments(arguments(config=config, runbook=flag)).read_runbook().playbook.quiet_for == 2


def test_a_drill_has_the_banking_platforms_unless_the_flag_says_otherwise(tmp_path: Path) -> None:
    config = written(tmp_path / "config.toml", '[runbook]\nfile = "a.yaml"\n')
    drill = DrillProcess("payment-release")  # never started
    own = from_arguments(arguments(config=config), drill).read_runbook().playbook
    assert "cluster-info" in own.commands
    flag = written(tmp_path / "b.yaml", "acts: {quiet_for: 2}\n")
    assert from_arguments(arguments(runbook=flag), drill).read_runbook().playbook.quiet_for == 2


def test_only_who_acts_reads_it(tmp_path: Path) -> None:
    options = from_arguments(arguments(runbook=str(tmp_path / "nowhere.yaml")))  # log, status, export …
    with pytest.raises(SettingsError, match=r"nowhere\.yaml: cannot be read: No such file"):
        options.read_runbook()


def test_a_surprise_leaves_declaring_to_who_practises() -> None:
    drill = DrillProcess("", ["--surprise"])  # never started
    assert from_arguments(arguments(surprise=True), drill).undeclared
    assert not from_arguments(arguments(surprise=False), drill).undeclared
