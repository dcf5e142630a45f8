"""The settings file: what it may say, and the sentence that somebody gets for what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.theme import BUILTIN_THEMES

from tui.settings import TEXTUAL_THEMES, EndpointSettings, Settings, SettingsError

AZURE = "[azure]\nsubscription = '0B1F6471-1BF0-4DDA-AEC3-CB9272F09590'\n"
GROUP = f"{AZURE}resource_groups = ['rg']\n"
EXAMPLE = Path(__file__).parents[2] / "docs" / "config.example.toml"


def load(directory: Path, text: str) -> Settings:
    file = directory / "config.toml"
    file.write_text(text, encoding="utf-8")
    return Settings.load(file)


def refusal(directory: Path, text: str) -> str:
    """The sentence without the file's name, which every sentence must begin with."""
    with pytest.raises(SettingsError) as caught:
        load(directory, text)
    sentence = str(caught.value)
    assert sentence.startswith(f"{directory / 'config.toml'}: ")
    assert "\n" not in sentence
    return sentence.removeprefix(f"{directory / 'config.toml'}: ")


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    settings = load(tmp_path, "")

    assert settings.cluster.namespaces == ()
    assert settings.cluster.production == ("*prod*",)
    assert settings.endpoints == ()
    assert settings.probes.endpoint_interval == 5.0
    assert settings.console.theme == "warroom"
    assert settings.console.clock == "utc"


def test_the_example_shows_every_setting_and_can_be_used() -> None:
    settings = Settings.load(EXAMPLE)

    assert settings.path == EXAMPLE
    assert settings.cluster.context == "aks-banking-prod"
    assert [endpoint.name for endpoint in settings.endpoints] == [
        "api",
        "payments.banking-platform.com/health/ready",
    ]
    assert settings.git.checkout == str(Path("~/src/banking-platform").expanduser())
    assert settings.timeline.author == "tech-lead"
    assert settings.azure.databases == ("banking-platform-prod-sql/BankingAccountsDb",)
    text = EXAMPLE.read_text(encoding="utf-8")
    for key in ("kubeconfig", "expect_status", "ca_file", "endpoint_timeout", "metrics_interval", "store", "clock"):
        assert f"{key} = " in text


def test_a_missing_default_file_is_fine_and_a_missing_named_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    assert Settings.load() == Settings()
    with pytest.raises(SettingsError, match="cannot read the settings: No such file"):
        Settings.load(tmp_path / "config.toml")


def test_the_default_file_is_found_where_xdg_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "warroom").mkdir()
    (tmp_path / "warroom" / "config.toml").write_text('[console]\nclock = "local"\n', encoding="utf-8")

    assert Settings.load().console.clock == "local"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[cluster]\ncontxt = 'a'", "cluster.contxt: no such setting; did you mean context?"),
        ("[clutser]\n", "clutser: no such setting; did you mean cluster?"),
        ("[console]\nxyzzy = 1", "console.xyzzy: no such setting; known here: theme, clock"),
        ("[cluster]\ncontext = 7", "cluster.context: expected text in quotes, found 7"),
        ("cluster = 'prod'", 'cluster: expected a table, written [cluster], found "prod"'),
        ("[endpoints]\nurl = 'http://a/'", "endpoints: expected tables, each written [[endpoints]], found {"),
        ("[cluster]\nnamespaces = 'prod'", "cluster.namespaces: expected a list of texts"),
        ("[cluster]\nnamespaces = ['*', 'prod']", 'cluster.namespaces: expected either ["*"] for all or a list'),
        (
            "[probes]\nendpoint_interval = '5s'",
            "probes.endpoint_interval: expected a number of seconds from 0.1",
        ),
        ("[probes]\nendpoint_interval = 0", "probes.endpoint_interval: expected a number of seconds from 0.1"),
        ("[probes]\nendpoint_interval = nan", "probes.endpoint_interval: expected a number of seconds"),
        ("[probes]\nendpoint_timeout = true", "found true"),
        ("[git]\nsince = 'a while back'", 'git.since: expected a time like "2 hours ago"'),
        ("[console]\nclock = 'cet'", 'console.clock: expected one of utc, local, found "cet"'),
        ("[console]\ntheme = 'warrom'", 'found "warrom"; did you mean warroom?'),
        ("[tools]\nhelm = 4", "tools.helm: expected a program, or a list of it and its arguments"),
        ("[tools]\nhelm = ['']", "tools.helm: expected a program, or a list of it and its arguments"),
        ("[tools]\nhlem = 'helm'", "tools.hlem: no such setting; did you mean helm?"),
        ("[keys]\nfilter = 3", "keys.filter: expected text in quotes, found 3"),
        ("[[endpoints]]\nname = 'api'", "endpoints[1].url: missing, expected a URL like https://"),
        ("[[endpoints]]\nurl = 'api/health'", "endpoints[1].url: expected a URL like https://"),
        ("[[endpoints]]\nurl = 'https://[::1/health'", "endpoints[1].url: expected a URL like https://"),
        ("[[endpoints]]\nurl = 'https://a:port/'", "endpoints[1].url: expected a URL like https://"),
        ("[[endpoints]]\nurl = 'ftp://a/'", "endpoints[1].url: expected a URL like https://"),
        ("[[endpoints]]\nurl = 'http://a/'\nexpect_status = 99", "endpoints[1].expect_status: expected a whole number"),
        (
            "[[endpoints]]\nurl = 'http://a/'\nheadres = {}",
            "headres: no such setting; did you mean headers?",
        ),
        ("[[endpoints]]\nurl = 'http://a/'\nheaders = { A = 1 }", "endpoints[1].headers: expected a table of texts"),
        ("[[endpoints]]\nurl = 'http://a/'\nheaders = { 'A b' = 'c' }", "endpoints[1].headers: expected header names"),
        ("[azure]\nresource_groups = ['rg']", "azure.subscription: missing, expected a subscription's id (az account"),
        (
            "[azure]\nsubscription = 'banking-prod'",
            "azure.subscription: expected a subscription's id (az account show --query id), 8-4-4-4-12 hex digits, "
            'found "banking-prod"',
        ),
        (f"{AZURE}resource_groups = []", "azure.resource_groups: expected at least one"),
        (AZURE, "azure.resource_groups: expected at least one"),
        (f"{AZURE}resource_groups = ['a/b']", "azure.resource_groups: expected names of resource groups"),
        (f"{GROUP}databases = ['Accounts']", 'azure.databases: expected a list of "server/database"'),
        (f"{GROUP}databases = ['a/b/c']", 'azure.databases: expected a list of "server/database"'),
        (
            f"{GROUP}endpoint = 'http://10.0.0.1'",
            "azure.endpoint: expected https, because plain http is for this machine only (127.0.0.1), found",
        ),
        (f"{GROUP}endpoint = 'http://127.0.0.1.evil.example'", "azure.endpoint: expected https, because plain http"),
        (f"{GROUP}endpoint = 'management.azure.com'", "azure.endpoint: expected an address like https://"),
        (f"{GROUP}endpoint = 'https://a/subscriptions'", "azure.endpoint: expected an address like https://"),
        (f"{GROUP}endpoint = 'https://[::1'", "azure.endpoint: expected an address like https://"),
        (f"{GROUP}endpoint = 'http://127.0.0.1:9'", "azure.token_file: missing, because the token of a login"),
        (f"{GROUP}authority = 'http://login.example'", "azure.authority: expected the https address of a login"),
        (f"{GROUP}activity_window = '2 hours'", 'azure.activity_window: expected a time from "10m" to "14d"'),
        (f"{GROUP}activity_window = '900d'", 'azure.activity_window: expected a time from "10m" to "14d"'),
        (f"{GROUP}databases_interval = 0", "azure.databases_interval: expected a number of seconds from 1 to 3600"),
        (f"{GROUP}database = []", "azure.database: no such setting; did you mean databases?"),
        (
            "[[endpoints]]\nurl = 'http://a/'\n[[endpoints]]\nurl = 'http://a/'",
            "endpoints[2].url: http://a/ is already the url of endpoints[1]",
        ),
        (
            "[[endpoints]]\nurl = 'http://a/'\nname = 'x'\n[[endpoints]]\nurl = 'http://b/'\nname = 'x'",
            "endpoints[2].name: x is already the name of endpoints[1]",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_key_and_what_was_expected(tmp_path: Path, text: str, sentence: str) -> None:
    assert sentence in refusal(tmp_path, text)


def test_azure_is_off_until_a_subscription_is_named(tmp_path: Path) -> None:
    assert not load(tmp_path, "").azure.configured
    assert not load(tmp_path, "[azure]\nsubscription = ''\nresource_groups = ['rg']").azure.configured

    named = load(tmp_path, GROUP).azure
    assert named.configured
    assert (named.endpoint, named.activity_interval, named.activity_window) == (
        "https://management.azure.com",
        30.0,
        7200.0,
    )


def test_azure_settings_are_told_apart_as_azure_does_and_found_beside_the_file(tmp_path: Path) -> None:
    azure = load(
        tmp_path,
        f"{AZURE}resource_groups = ['Prod-RG', 'prod-rg', 'other(1)']\ndatabases = ['sql/Accounts', 'SQL/accounts']\n"
        "endpoint = 'http://[::1]:9/'\nauthority = 'login.microsoftonline.us'\ntoken_file = 'token'\n"
        "activity_window = '1d'",
    ).azure

    assert azure.subscription == "0b1f6471-1bf0-4dda-aec3-cb9272f09590"
    assert azure.resource_groups == ("prod-rg", "other(1)")
    assert azure.databases == ("SQL/accounts",)
    assert azure.endpoint == "http://[::1]:9"
    assert azure.authority == "https://login.microsoftonline.us"
    assert azure.token_file == str(tmp_path / "token")
    assert azure.activity_window == 86400.0


def test_broken_toml_is_told_with_its_line(tmp_path: Path) -> None:
    assert "line 2" in refusal(tmp_path, "[cluster]\ncontext = prod\n")


def test_a_file_that_is_not_text_is_said_to_be_so(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(SettingsError, match="not UTF-8 text"):
        Settings.load(file)


def test_a_directory_is_not_a_settings_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read the settings"):
        Settings.load(tmp_path)


def test_a_secret_in_the_file_is_refused_without_repeating_it(tmp_path: Path) -> None:
    header = refusal(tmp_path, "[[endpoints]]\nurl = 'http://a/'\nheaders = { Authorization = 'Bearer hunter2' }")
    address = refusal(tmp_path, "[[endpoints]]\nurl = 'https://me:hunter2@a/'")

    azure = refusal(tmp_path, f"{GROUP}endpoint = 'https://me:hunter2@a'")
    assert "no user or password" in azure
    assert 'headers.Authorization: expected "env:NAME"' in header
    assert "no user or password" in address
    assert "hunter2" not in header + address + azure


def test_headers_come_from_the_environment_and_a_missing_variable_is_told() -> None:
    endpoint = EndpointSettings(url="http://a/", name="a", headers={"Accept": "*/*", "Authorization": "env:TOKEN"})

    assert endpoint.resolved_headers({"TOKEN": "Bearer x"}) == {"Accept": "*/*", "Authorization": "Bearer x"}
    assert endpoint.resolved_headers({}) == {"Accept": "*/*"}
    assert endpoint.missing_variables({}) == ["TOKEN"]
    assert Settings(endpoints=(endpoint,)).missing_variables()[0].startswith("endpoint a: the environment variable")


def test_paths_are_relative_to_the_file_and_know_the_home(tmp_path: Path) -> None:
    settings = load(tmp_path, "[timeline]\nstore = 'here.db'\n[cluster]\nkubeconfig = '~/.kube/other'")

    assert settings.store == tmp_path / "here.db"
    assert settings.cluster.kubeconfig == str(Path("~/.kube/other").expanduser())


@pytest.mark.parametrize(
    ("written", "command"),
    [
        ("'helm'", ("helm",)),
        ("'/opt/helm/helm'", ("/opt/helm/helm",)),
        ("'~/bin/helm'", (str(Path("~/bin/helm").expanduser()),)),
        ("['env', 'HTTPS_PROXY=', 'helm']", ("env", "HTTPS_PROXY=", "helm")),
        ("''", ()),
        ("[]", ()),
    ],
)
def test_helm_is_a_name_a_path_or_a_list(tmp_path: Path, written: str, command: tuple[str, ...]) -> None:
    assert load(tmp_path, f"[tools]\nhelm = {written}\n").tools.helm == command


def test_a_drills_helm_gives_way_to_the_one_that_its_user_has_set(tmp_path: Path) -> None:
    platform = load(tmp_path, "[tools]\nhelm = ['python', '-m', 'drill.helm_standin']\n")
    mine = load(tmp_path, "[tools]\nhelm = '/opt/helm'\n")

    assert Settings().with_platform(platform).tools.helm == ("python", "-m", "drill.helm_standin")
    assert mine.with_platform(platform).tools.helm == ("/opt/helm",)


def test_a_drill_keeps_its_users_theme_keys_and_author(tmp_path: Path) -> None:
    mine = load(tmp_path, "[console]\ntheme = 'nord'\n[keys]\nfilter = 'f'\n[timeline]\nauthor = 'me'\n")
    platform = load(tmp_path, "[cluster]\ncontext = 'drill'\n[[endpoints]]\nurl = 'http://127.0.0.1:1/health'\n")

    both = mine.with_platform(platform)

    assert both.cluster.context == "drill"
    assert len(both.endpoints) == 1
    assert both.console.theme == "nord"
    assert both.keys == {"filter": "f"}
    assert both.author == "me"


def test_every_theme_of_textual_may_be_named() -> None:
    assert set(TEXTUAL_THEMES) == set(BUILTIN_THEMES)


@pytest.mark.parametrize(
    ("file", "expected"), [("banking-platform", "banking-platform"), ("own.yaml", "{here}/own.yaml"), ("", "")]
)
def test_a_runbook_is_one_that_ships_or_a_file_beside_the_settings(tmp_path: Path, file: str, expected: str) -> None:
    settings = load(tmp_path, f'[runbook]\nfile = "{file}"\n')
    assert settings.runbook.file == expected.format(here=tmp_path)
