"""Stores by name: written, listed, tried and taken out; and what a doctor finds."""

from __future__ import annotations

import stat
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

import pytest
from cli_place import Services, Shell, services, shell

from secretbridge.cli import doctor

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["services", "shell"]

SITE = "5a1e0000-0000-4000-8000-000000000001"
WIX = ("--provider", "wix", "-o", f"site_id={SITE}", "--credential", "api_key=env:PROD_WIX")


def test_a_connection_is_added_without_touching_the_rest(shell: Shell) -> None:
    before = '# ours\n[connections.files]\nprovider = "dotenv"   # for now\npath = ".env"'
    shell.write(before, mode=0o640)
    shell.ok("connections", "add", "prod.wix", *WIX)
    file = shell.folder / "secretbridge.toml"
    assert file.read_text() == (
        f'{before}\n\n[connections."prod.wix"]\n'
        f'provider = "wix"\nsite_id = "{SITE}"\napi_key = "env:PROD_WIX"\n'
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_new_file_can_be_read_by_its_owner_alone(shell: Shell) -> None:
    done = shell.ok("connections", "add", "prod-wix", *WIX)
    file = shell.folder / "secretbridge.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert done.err == f"Added prod-wix to {file}; secretbridge connections check prod-wix tries it.\n"
    assert [path.name for path in shell.folder.iterdir()] == ["secretbridge.toml"]


def test_a_connection_goes_into_the_projects_file_above_the_users_or_the_one_that_is_named(
    shell: Shell,
) -> None:
    shell.write('[connections.one]\nprovider = "dotenv"\npath = ".env"\n')
    (shell.folder / ".git").mkdir()
    below = shell.folder / "below"
    below.mkdir()
    shell.monkeypatch.chdir(below)
    above = shell.ok("connections", "add", "two", *WIX, "--json").json["file"]
    user = shell.ok("connections", "add", "three", *WIX, "--user", "--json").json["file"]
    named = shell.ok("connections", "add", "four", *WIX, "--config", "own.toml", "--json").json["file"]
    names = [row[0] for row in shell.ok("connections", "list").rows]
    assert (above, named) == (str(shell.folder / "secretbridge.toml"), "own.toml")
    assert user.endswith("secretbridge/config.toml")
    assert names == ["local", "one", "three", "two", "vault"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--provider", "wix", "-o", f"site_id={SITE}", "--credential", "api_key=IST.Zx9c0ffee"),
         "nothing was written.\nWhy: api_key is written in clear, or is no reference\nDo: Change it at"),
        (("--provider", "wix", "-o", f"site_id={SITE}", "-o", "api_key=IST.Zx9c0ffee"),
         "nothing was written.\nWhy: api_key is written in clear, or is no reference\nDo: Change it at"),
        (("--provider", "wix", "-o", "side_id=x", "--credential", "api_key=env:X"),
         "Why: one of the keys is unknown\nDo: Did you mean site_id?"),
        (("--provider", "wixx"), "Why: provider is not installed\nDo: Did you mean wix? Known are appfarm, "),
        (("--provider", "appfarm", "-o", "base_url=https://x.example", "-o", "path=/x", "-o", "secrets=[A"),
         "secrets: "),
    ],
)  # fmt: skip
def test_what_the_library_would_refuse_is_not_written(
    shell: Shell, options: tuple[str, ...], told: str
) -> None:
    done = shell.run("connections", "add", "one", *options)
    assert (done.code, told in done.err, "Zx9c0ffee" in done.err) == (2, True, False), done.err
    assert list(shell.folder.iterdir()) == []


def test_lists_numbers_and_truth_values_are_written_as_such(shell: Shell) -> None:
    shell.ok(
        "connections", "add", "farm", "--provider", "appfarm", "-o", "base_url=http://farm.example",
        "-o", "path=/api/services/secrets/update", "-o", 'secrets=["A", "B"]', "-o", "allow_http=true",
        "-o", "timeout=2.5", "-o", "retry={ attempts = 2 }", "--credential", "api_key=env:FARM",
    )  # fmt: skip
    (row,) = (
        one for one in shell.ok("connections", "list", "--json").json["connections"] if one["name"] == "farm"
    )
    assert row["options"] == {
        "base_url": "http://farm.example",
        "path": "/api/services/secrets/update",
        "secrets": ["A", "B"],
        "allow_http": True,
        "timeout": 2.5,
        "retry": {"attempts": 2},
        "api_key": "env:FARM",
    }


def test_a_name_that_is_there_is_not_written_again(shell: Shell) -> None:
    shell.ok("connections", "add", "prod-wix", *WIX)
    done = shell.run("connections", "add", "prod-wix", *WIX)
    assert (done.code, done.err.splitlines()[0]) == (
        1,
        "Error: prod-wix was not added; nothing was changed.",
    )


def test_a_file_that_cannot_be_changed_safely_is_left_alone(shell: Shell) -> None:
    text = 'connections = { one = { provider = "dotenv", path = ".env" } }\n'
    shell.write(text)
    added = shell.run("connections", "add", "prod-wix", *WIX)
    removed = shell.run("connections", "remove", "one", "--yes")
    assert (added.code, removed.code) == (1, 1)
    assert "It is written in a way that this command cannot change safely." in added.err
    assert (shell.folder / "secretbridge.toml").read_text() == text


def test_a_folder_that_cannot_be_written_is_told(shell: Shell) -> None:
    done = shell.run("connections", "add", "prod-wix", *WIX, "--config", "missing/own.toml")
    assert (done.code, done.err.splitlines()) == (
        1,
        [
            "Error: missing/own.toml could not be written; nothing was changed.",
            "Why: No such file or directory.",
        ],
    )


def test_a_dry_run_writes_nothing(shell: Shell) -> None:
    done = shell.ok("connections", "add", "prod-wix", *WIX, "--dry-run")
    assert (done.out, list(shell.folder.iterdir())) == (
        '[connections.prod-wix]\nprovider = "wix"\n\n',
        [],
    )


def test_a_connection_is_taken_out_and_the_rest_stays(shell: Shell) -> None:
    shell.write(
        '# ours\n[connections.one]\nprovider = "acme"\nhost = """\n[elsewhere]\n"""\n\n'
        '[connections.one.credentials]\ntoken = "env:X"\n\n# theirs\n[connections.two]\nprovider = "dotenv"\n'
        'path = ".env"\n'
    )
    dry = shell.ok("connections", "remove", "two", "--dry-run")
    asked = shell.run("connections", "remove", "two")
    done = shell.ok("connections", "remove", "two", "--yes")
    text = (shell.folder / "secretbridge.toml").read_text()
    assert (asked.code, dry.err.startswith("Dry run"), done.err.startswith("Removed two")) == (2, True, True)
    assert text.endswith('[connections.one.credentials]\ntoken = "env:X"\n\n# theirs\n')
    assert text.startswith("# ours\n[connections.one]")


def test_what_would_be_cut_in_the_wrong_place_is_left_alone(shell: Shell) -> None:
    text = '[connections.one]\nprovider = "dotenv"\npath = """\n[connections.two]\n"""\n'
    shell.write(text)
    done = shell.run("connections", "remove", "one", "--yes")
    assert (done.code, (shell.folder / "secretbridge.toml").read_text()) == (1, text)


@pytest.mark.parametrize(
    ("name", "why"),
    [("vault", "It is made by environment variables."), ("nope", "No connection has this name.")],
)
def test_what_no_file_holds_is_not_taken_out(shell: Shell, name: str, why: str) -> None:
    done = shell.run("connections", "remove", name, "--yes")
    assert (done.code, done.err.splitlines()[1]) == (1, f"Why: {why}")


def test_each_connection_is_tried_and_nothing_is_changed(shell: Shell, services: Services) -> None:
    services.insforge.api_key = "another"
    done = shell.run("connections", "check")
    rows = {row[0]: row[1] for row in done.rows}
    assert (done.code, rows) == (1, {"prod-insforge": "failed", "prod-ionet": "ok", "prod-wix": "ok"})
    assert shell.ok("connections", "check", "prod-wix").rows[0][1] == "ok"
    assert {call.partition(" ")[0] for call in services.wix.calls + services.ionet.calls} == {"GET"}


def test_a_vault_that_was_not_made_is_not_made_by_trying(shell: Shell) -> None:
    done = shell.ok("connections", "check", "vault")
    assert (done.rows[0][1], list((shell.folder.parent / "user").rglob("vault.*"))) == ("warning", [])


def test_a_store_that_cannot_be_tried_without_a_change_says_so(shell: Shell) -> None:
    shell.write(
        '[connections.farm]\nprovider = "appfarm"\nbase_url = "https://farm.example"\npath = "/x"\n'
        'secrets = ["A"]\napi_key = "env:FARM"\n'
    )
    assert shell.ok("connections", "check", "farm").rows == [
        ["farm", "warning", "It cannot be tried without changing something."]
    ]


def test_an_unknown_connection_is_not_tried(shell: Shell) -> None:
    assert shell.run("connections", "check", "nope").code == 2


def test_init_makes_the_vault_and_the_first_connection_without_asking(shell: Shell) -> None:
    done = shell.ok("init", "--name", "prod-wix", *WIX, "--json").json
    again = shell.ok("init")
    assert (done["vault_made"], done["connection"], done["file"]) == (
        True,
        "prod-wix",
        str(shell.folder / "secretbridge.toml"),
    )
    assert again.err.startswith("The vault is there already: ")


@pytest.mark.parametrize("words", [("--name", "x"), ("--provider", "wix"), ("-o", "a=b")])
def test_init_wants_a_connection_whole(shell: Shell, words: tuple[str, ...]) -> None:
    done = shell.run("init", *words)
    assert (done.code, list((shell.folder.parent / "user").rglob("vault.*"))) == (2, [])


def test_a_doctor_finds_everything_well(shell: Shell, services: Services) -> None:
    shell.put("TOKEN", "v")
    done = shell.ok("doctor")
    status = {row[0]: row[1] for row in done.rows}
    assert set(status.values()) == {"ok"}
    assert status.keys() >= {"secretbridge", "libraries", "clock", "connections", "connection prod-wix"}
    assert {call.partition(" ")[0] for call in services.wix.calls} == {"GET"}


def test_a_doctor_finds_what_is_wrong(shell: Shell) -> None:
    shell.write(
        '[connections.one]\nprovider = "wix"\nsite_id = "x"\napi_key = "env:UNSET_KEY"\n'
        '[connections.team]\nprovider = "local"\nlocation = "team.db"\nkey_file = "team.key"\n',
        mode=0o644,
    )
    shell.put("TOKEN", "v", store="team")
    (shell.folder / "team.db").chmod(0o666)
    done = shell.run("doctor", "--json")
    found = {one["check"]: one["status"] for one in done.json["checks"]}
    assert (done.code, found["file of connections"], found["connection one"]) == (1, "warning", "failed")
    assert (found["vault of team"], found["key file of team"], found["connection team"]) == (
        "failed",
        "ok",
        "failed",
    )


def test_a_doctor_says_where_a_file_of_connections_is_wrong(shell: Shell) -> None:
    file: Path = shell.write("[connections.one]\nprovider = 7\n")
    done = shell.run("doctor")
    told = next(row for row in done.rows if row[0] == "connections")
    assert (done.code, told[1]) == (1, "failed")
    assert told[2].startswith(f"{file}:2: provider is not a name. Known are appfarm, ")


def test_a_clock_behind_the_newest_change_is_found(shell: Shell) -> None:
    shell.put("TOKEN", "v")

    class Before(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Before:
            return cls(2026, 1, 2, tzinfo=tz)

    class LongBefore(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> LongBefore:
            return cls(1970, 1, 2, tzinfo=tz)

    shell.monkeypatch.setattr(doctor, "datetime", Before)
    late = [row[1] for row in shell.run("doctor").rows if row[0] == "clock"]
    shell.monkeypatch.setattr(doctor, "datetime", LongBefore)
    lost = [row[1] for row in shell.run("doctor").rows if row[0] == "clock"]
    assert (late, lost) == (["ok", "warning"], ["failed", "warning"])


def test_two_names_of_one_vault_are_told_as_one_store(shell: Shell) -> None:
    before = dict.fromkeys(row[0] for row in shell.ok("connections", "list").rows)
    rows = {row[0]: row[2] for row in shell.ok("connections", "list").rows}
    shell.write('[connections.vault]\nprovider = "local"\nenvironment = "test"\n')
    after = {row[0]: row[2] for row in shell.ok("connections", "list").rows}
    assert list(before) == ["local", "vault"]
    assert rows == {"local": "environment; the same as vault", "vault": "environment"}
    assert after["local"] == "environment"
