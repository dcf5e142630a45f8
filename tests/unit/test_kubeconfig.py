"""Kubeconfig files: found, merged, and refused in one sentence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from probes.errors import ConfigError, NoKubeconfig, NoSuchContext
from probes.kubeconfig import ContextInfo, contexts, find, in_cluster, select


def write(path: Path, **config: Any) -> str:
    path.write_text(yaml.safe_dump(config))
    return str(path)


def simple(path: Path, name: str = "one", server: str = "https://one.example:6443", **context: Any) -> str:
    return write(
        path,
        **{
            "current-context": name,
            "contexts": [{"name": name, "context": {"cluster": name, "user": name, **context}}],
            "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority": "ca.crt"}}],
            "users": [{"name": name, "user": {"token": f"token-of-{name}", "tokenFile": "t"}}],
        },
    )


@pytest.fixture
def environ() -> Iterator[None]:
    before = dict(os.environ)
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        os.environ.pop(name, None)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_the_current_context_is_chosen_and_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    chosen = select(simple(tmp_path / "config"))
    assert (chosen.context, chosen.namespace, chosen.user_name) == ("one", "default", "one")
    assert chosen.server == "https://one.example:6443"
    assert chosen.cluster["certificate-authority"] == str(tmp_path / "ca.crt")
    assert chosen.user["tokenFile"] == str(tmp_path / "t")


def test_of_several_files_the_first_to_name_a_thing_wins_and_missing_ones_are_skipped(
    tmp_path: Path, environ: None
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = simple(tmp_path / "a" / "config", "one"), simple(tmp_path / "b" / "config", "two")
    other = write(tmp_path / "c", clusters=[{"name": "one", "cluster": {"server": "https://impostor.example"}}])
    os.environ["KUBECONFIG"] = os.pathsep.join([str(tmp_path / "missing"), first, second, other])
    assert [info.name for info in contexts()] == ["one", "two"]
    assert [info.current for info in contexts()] == [True, False]
    assert select().server == "https://one.example:6443"
    assert select(context="two").cluster["certificate-authority"] == str(tmp_path / "b" / "ca.crt")


def test_contexts_carry_their_namespace(tmp_path: Path) -> None:
    listed = contexts(simple(tmp_path / "config", namespace="prod"))
    assert listed == [ContextInfo(name="one", cluster="one", user="one", namespace="prod", current=True)]


def test_no_kubeconfig_says_where_it_looked(tmp_path: Path, environ: None) -> None:
    with pytest.raises(NoKubeconfig, match=f"there is no kubeconfig at {tmp_path}/nothing"):
        select(str(tmp_path / "nothing"))
    os.environ["KUBECONFIG"] = str(tmp_path / "nowhere")
    with pytest.raises(NoKubeconfig, match=f"looked at KUBECONFIG={tmp_path}/nowhere") as caught:
        select()
    assert "warroom drill" in caught.value.hint
    del os.environ["KUBECONFIG"]
    os.environ["HOME"] = str(tmp_path)
    with pytest.raises(NoKubeconfig, match=r"looked at .*/\.kube/config"):
        find()


def test_a_wrong_context_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(NoSuchContext, match="there is no context 'prod'") as caught:
        select(simple(tmp_path / "config"), "prod")
    assert caught.value.hint == "known contexts: one"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "is not YAML"),
        ("\tx", "is not YAML"),
        ("- 1\n- 2\n", "is not a kubeconfig"),
        ("contexts: 3\n", "contexts must be a list"),
        ("users: [{user: {}}]\n", "every entry of users needs a name"),
        ("clusters: [{name: a, cluster: 7}]\n", "must hold a mapping cluster"),
        ("", "names no current context"),
        ("current-context: a\n", "there is no context 'a'"),
        ("current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n", "refers to cluster 'c'"),
        (
            "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n"
            "clusters: [{name: c, cluster: {server: 'https://x'}}]\n",
            "refers to user 'u'",
        ),
        (
            "current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\n"
            "clusters: [{name: c, cluster: {server: 'x:6443'}}]\n",
            "has no server URL",
        ),
    ],
)
def test_whatever_is_wrong_is_one_sentence_naming_the_file(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ConfigError, match=sentence) as caught:
        select(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        select(str(path))


def test_inside_a_pod_the_service_account_is_used(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("sa")
    (tmp_path / "namespace").write_text("prod\n")
    inside = in_cluster({"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}, tmp_path)
    assert inside is not None
    assert (inside.server, inside.namespace) == ("https://[fd00::1]:443", "prod")
    assert inside.user == {"tokenFile": str(tmp_path / "token")}
    assert in_cluster({}, tmp_path) is None
