"""The runbook file: what it may say, and the sentence that somebody gets for what it may not."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from runbook import playbook_file
from runbook.known import CONSOLE_KEYS, MITIGATIONS
from runbook.mitigations import TABLE, table_of
from runbook.placeholders import put_in, used_in
from runbook.playbook import MitigationSettings, Playbook
from runbook.playbook_file import PlaybookError
from runbook.response_file import load as load_file

SHIPPED = playbook_file.SHIPPED / "banking-platform.yaml"

COMMAND = """\
commands:
  flush-cache:
    key: F
    label: flush cache
    sentence: Empty the session cache
    argv: [kubectl, --context, "{context}", exec, "pod/{name}", --, redis-cli, FLUSHALL]
"""


def load(directory: Path, text: str | bytes) -> Playbook:
    file = directory / "runbook.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_file(file).playbook


def refusal(directory: Path, text: str | bytes) -> str:
    """The sentence without the file's name, which every sentence must begin with."""
    with pytest.raises(PlaybookError) as caught:
        load(directory, text)
    sentence, file = str(caught.value), str(directory / "runbook.yaml")
    assert sentence.startswith(f"{file}:")
    assert "\n" not in sentence
    return sentence.removeprefix(f"{file}:").strip()


@pytest.mark.parametrize("text", ["", "---\n", "# nothing yet\n", "acts:\nmitigations:\ncommands: {}\n"])
def test_an_empty_file_means_what_suits_any_cluster(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text) == Playbook()


def test_everything_that_may_be_said_is_understood(tmp_path: Path) -> None:
    text = """\
acts: {verify_within: 120, quiet_for: 0, armed_for: 600.5}
mitigations:
  rollback:
    friction: name
    verify_within: 900
    warnings:
      - Database migrations stay.
      - 'Ask: is it safe?'
  redirect: {defaults: {status: 503, match: all}}
  quarantine: {defaults: {evidence: yes, detach: false}}
commands:
  flush-cache:
    key: F
    label: flush cache
    sentence: Empty the session cache
    argv: [kubectl, -n, "{namespace}", --tail, 5, "{kind}/{name}", "-o=jsonpath={range .items[*]}{.a}{end}"]
    kinds: [Pod, Deployment]
    timeout: 5
    wide: true
    looks: true
    undone_by: it fills again by itself
"""
    playbook = load(tmp_path, text)

    assert (playbook.verify_within, playbook.quiet_for, playbook.armed_for) == (120, 0, 600.5)
    assert playbook.of("rollback") == MitigationSettings(
        friction="name", verify_within=900, warnings=("Database migrations stay.", "Ask: is it safe?")
    )
    assert playbook.of("redirect").defaults == {"status": "503", "match": "all"}
    assert playbook.of("quarantine").defaults == {"evidence": "yes", "detach": "no"}
    assert playbook.within("rollback") == 900
    assert playbook.within("restart") == 120
    assert playbook.within("flush-cache") == 20  # its own limit, and some time to end
    command = playbook.commands["flush-cache"]
    assert command.argv[3:5] == ("--tail", "5")
    assert (command.kinds, command.timeout, command.wide, command.looks) == (("Pod", "Deployment"), 5, True, True)
    assert table_of(playbook)["flush-cache"].looks_only
    assert command.undone_by == "it fills again by itself"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("mitigation: {}\n", "1: mitigation: there is no such key; did you mean mitigations?"),
        ("acts:\n  quiet: 3\n", "2: acts.quiet: there is no such key; did you mean quiet_for?"),
        (
            "acts:\n  verify_within: soon\n",
            "2: acts.verify_within: expected a number of seconds from 1 to 86400, found 'soon'",
        ),
        (
            "acts:\n  armed_for: 1:30\n",
            "2: acts.armed_for: expected a number of seconds from 60 to 86400, found 1:30",
        ),
        ("acts:\n  quiet_for: .nan\n", "2: acts.quiet_for: expected a number of seconds from 0 to 3600, found .nan"),
        ("acts: [1]\n", "1: acts: expected keys with values, found a list"),
        ("- one\n", "1: expected keys with values, found a list"),
        (
            "acts: {}\nmitigations:\n  roll-back: {}\n",
            "3: mitigations.roll-back: there is no such mitigation; did you mean rollback?",
        ),
        (
            "mitigations:\n  restart:\n    friction: none\n",
            "3: mitigations.restart.friction: expected one of key, name, found 'none'",
        ),
        (
            "mitigations:\n  restart:\n    warning: [x]\n",
            "3: mitigations.restart.warning: there is no such key; did you mean warnings?",
        ),
        (
            "mitigations:\n  restart:\n    warnings: be careful\n",
            '3: mitigations.restart.warnings: expected a list of texts, e.g. ["one", "two"], found \'be careful\'',
        ),
        (
            "mitigations:\n  restart:\n    warnings:\n      - fine\n      - yes\n",
            "5: mitigations.restart.warnings[1]: expected text in quotes, found yes",
        ),
        (
            "mitigations:\n  connectivity:\n    defaults:\n      uri: x\n",
            "4: mitigations.connectivity.defaults.uri: connectivity has no such field to give a default for; "
            "did you mean url?",
        ),
        (
            "mitigations:\n  scale:\n    defaults: {replicas: 5}\n",
            "3: mitigations.scale.defaults.replicas: scale has no such field to give a default for; it has none",
        ),
        (
            "mitigations:\n  connectivity:\n    defaults: {url: [a, b]}\n",
            "3: mitigations.connectivity.defaults.url: expected one value, found a list",
        ),
        ("acts: {}\nacts: {}\n", "2: acts: this key is there already, on line 1"),
        ("acts: {quiet_for: 1\n", "2: not valid YAML: did not find expected ',' or '}'"),
        ("acts: {}\n---\nacts: {}\n", "2: not valid YAML: but found another document"),
        ("acts: *nowhere\n", "1: not valid YAML: found undefined alias"),
        (b"acts: \xff\xfe\n", "not UTF-8 text (byte 6)"),
        (b"# " + b"x" * 300_000, "larger than 256 KiB: this is no runbook file"),
        (b"acts: \x00\n", "not valid YAML: "),
        ("[" * 50_000 + "]" * 50_000, "nested deeper than 20: this is no runbook file"),
    ],
)
def test_a_mistake_is_told_with_file_line_key_and_what_was_expected(
    tmp_path: Path, text: str | bytes, sentence: str
) -> None:
    assert refusal(tmp_path, text).startswith(sentence)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("key: F", "key: f"), "3: commands.flush-cache.key: expected one upper-case letter, found 'f'; free are F, H"),
        (("key: F", "key: R"), "3: commands.flush-cache.key: R is taken: it is the key of restart; free are F, H"),
        (("key: F", "key: U"), "3: commands.flush-cache.key: U is taken: it takes an act back; free are F, H"),
        (("    key: F\n", ""), "3: commands.flush-cache.key: missing, expected text"),
        (("flush-cache:", "Flush Cache:"), "2: commands.Flush Cache: expected a name of lower-case letters"),
        (("flush-cache:", "restart:"), "2: commands.restart: this is the name of a mitigation"),
        (("flush cache", "flush the whole cache now"), "4: commands.flush-cache.label: expected at most 20 characters"),
        (("Empty the", '"Empty\\nthe"'), "5: "),
        (("{context}", "{cluster}"), "6: commands.flush-cache.argv: argument 3 holds {cluster}, which nothing is put"),
        (("{context}", "{contxt}"), "6: commands.flush-cache.argv: argument 3 holds {contxt}, which nothing is put in "
         "for; did you mean context?"),
        (("[kubectl,", '["{name}",'), "6: commands.flush-cache.argv: the first argument is the program"),
        (("FLUSHALL]", "yes]"), "6: commands.flush-cache.argv[7]: expected text in quotes, found yes"),
        (("FLUSHALL]\n", "FLUSHALL]\n    shell: true\n"), "7: commands.flush-cache.shell: there is no such key"),
        (("FLUSHALL]\n", "FLUSHALL]\n    kinds: [Pods]\n"), "7: commands.flush-cache.kinds: there are no rows of kind "
         "Pods; did you mean Pod?"),
        (("FLUSHALL]\n", "FLUSHALL]\n    wide: very\n"), "7: commands.flush-cache.wide: expected true or false"),
        (("FLUSHALL]\n", "FLUSHALL]\n    timeout: 0\n"), "7: commands.flush-cache.timeout: expected a number of"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_command_is_told_the_same_way(tmp_path: Path, change: tuple[str, str], sentence: str) -> None:
    assert refusal(tmp_path, COMMAND.replace(*change)).startswith(sentence)


def test_a_command_line_for_a_shell_is_no_argument_list(tmp_path: Path) -> None:
    text = COMMAND[: COMMAND.index("    argv:")] + '    argv: "kubectl get pods | grep -v Running"\n'
    assert "argv: expected a list of arguments and never one line for a shell" in refusal(tmp_path, text)
    assert "argv: missing, expected a list" in refusal(tmp_path, COMMAND[: COMMAND.index("    argv:")])


def test_two_commands_cannot_have_one_key(tmp_path: Path) -> None:
    second = COMMAND.replace("commands:\n", "").replace("flush-cache", "warm-cache")
    said = refusal(tmp_path, COMMAND + second)
    assert said.startswith("8: commands.warm-cache.key: F is taken: it is the key of flush-cache")


def test_a_file_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(PlaybookError, match=r"nothing\.yaml: cannot be read: No such file or directory"):
        load_file(tmp_path / "nothing.yaml")
    with pytest.raises(PlaybookError, match="cannot be read: Is a directory"):
        load_file(tmp_path)


def test_the_file_that_ships_can_be_read_and_is_found_by_its_name(tmp_path: Path) -> None:
    assert playbook_file.find("banking-platform") == SHIPPED
    assert playbook_file.find("nobody") == Path("nobody")
    assert playbook_file.find(str(tmp_path / "own.yaml")) == tmp_path / "own.yaml"
    playbook = load_file(SHIPPED).playbook
    assert playbook.default("connectivity", "url", "") == "https://external-payment-gateway.com/health"
    assert "migrations" in playbook.of("rollback").warnings[0]
    assert playbook.of("redirect").friction == "name"
    assert playbook.of("scale").defaults == {}
    assert list(table_of(playbook)) == [*TABLE, *playbook.commands]


def test_a_value_is_put_in_once_and_only_where_its_name_stands() -> None:
    values = {"name": "{namespace}; rm -rf /", "namespace": "prod"}
    assert put_in("pod/{name}", values) == "pod/{namespace}; rm -rf /"
    assert put_in("-o=jsonpath={.items[0].name}{end}", values) == "-o=jsonpath={.items[0].name}{end}"
    assert used_in(("a{name}b", "{range .x}{end}", "{context}")) == {"name", "context"}


# ---------------------------------------------------------------------- the file knows what the table has


def test_every_default_that_a_mitigation_asks_for_may_be_given() -> None:
    for path in sorted(Path(playbook_file.SHIPPED / "mitigations").glob("*.py")):
        tree = ast.parse(path.read_text())
        asked = {
            node.args[1].value
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "default"
            if len(node.args) > 1 and isinstance(node.args[1], ast.Constant)
        }
        owner = next((name for name in TABLE if TABLE[name].__module__.endswith(f".{path.stem}")), None)
        assert not asked or (owner is not None and asked <= set(TABLE[owner].choosable)), path.name


def test_the_keys_of_the_console_itself_are_not_free() -> None:
    from tui.keys import KEYS
    from widgets.pods import PodsPane
    from widgets.timeline import TimelinePane

    panes = [binding for pane in (PodsPane, TimelinePane) for _, binding in pane(id="x")._bindings]
    pressed = [*(part for key in KEYS for part in key.keys.split(",")), *(binding.key for binding in panes)]
    own = {key for key in pressed if len(key) == 1 and key.isupper()}
    assert own == set(CONSOLE_KEYS)
    assert not own & {known.key for known in MITIGATIONS.values()}
