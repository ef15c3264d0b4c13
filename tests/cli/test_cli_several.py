"""One change in several stores."""

from __future__ import annotations

import json

import pytest
from cli_place import Services, Shell, services, shell

from secretbridge.testing import Lost, Reply

__all__ = ["services", "shell"]

BOTH = ("--to", "prod-wix", "--to", "prod-insforge:OTHER")


@pytest.fixture
def seeded(shell: Shell, services: Services) -> Services:
    services.wix.seed("TOKEN", "old")
    services.insforge.seed("OTHER", "old")
    return services


def values(seeded: Services) -> tuple[str, str]:
    return seeded.wix.secret("TOKEN").value, seeded.insforge.secret("OTHER").value


def test_it_is_changed_in_each_under_the_name_it_has_there(shell: Shell, seeded: Services) -> None:
    done = shell.ok("update", "TOKEN", *BOTH, "--stdin", stdin="new")
    assert [row[:3] for row in done.rows] == [
        ["prod-wix", "TOKEN", "updated"],
        ["prod-insforge", "OTHER", "updated"],
    ]
    assert (values(seeded), done.err) == (("new", "new"), "Updated 'TOKEN' in 2 stores (value).\n")


def test_one_store_with_another_name_is_enough(shell: Shell, seeded: Services) -> None:
    shell.ok("update", "TOKEN", "--to", "prod-insforge:OTHER", "--stdin", stdin="new")
    assert values(seeded) == ("old", "new")


@pytest.mark.parametrize(("fault", "code"), [(Reply(401), 3), (Lost(), 4)])
def test_a_failure_in_one_is_told_by_the_exit_code(
    shell: Shell, seeded: Services, fault: Reply | Lost, code: int
) -> None:
    seeded.insforge.script(fault, fault)  # it is looked at before it is changed
    done = shell.run("update", "TOKEN", *BOTH, "--stdin", "--json", stdin="new")
    told = {row["target"]: row["state"] for row in done.json["results"]}
    assert (done.code, told) == (
        code,
        {"prod-wix": "updated", "prod-insforge": {3: "not applied", 4: "unknown"}[code]},
    )
    assert "'TOKEN' was updated in 1 of 2 stores." in done.err


def test_the_previous_state_is_put_back_if_that_is_wanted(shell: Shell, seeded: Services) -> None:
    seeded.insforge.script(Reply(401))
    done = shell.run("update", "TOKEN", *BOTH, "--stdin", "--on-failure", "restore", stdin="new")
    assert (done.code, values(seeded)) == (1, ("old", "old"))


def test_where_one_cannot_hold_it_nothing_is_sent_unless_it_is_left_out(
    shell: Shell, seeded: Services
) -> None:
    refused = shell.run("update", "TOKEN", *BOTH, "--description", "d")
    left = shell.ok("update", "TOKEN", *BOTH, "--description", "d", "--leave-out-unfit")
    assert (refused.code, "nothing was sent" in refused.err) == (2, True)
    assert [row[2] for row in left.rows] == ["updated", "left out"]


def test_a_dry_run_sends_nothing(shell: Shell, seeded: Services) -> None:
    done = shell.ok("update", "TOKEN", *BOTH, "--stdin", "--dry-run", stdin="new")
    assert (done.err.count("Dry run: would update"), values(seeded)) == (2, ("old", "old"))
    assert shell.ok("update", "TOKEN", *BOTH, "--generate", "--dry-run", "--json").json["complete"] is False


def test_a_dry_run_refuses_and_leaves_out_what_the_change_would(shell: Shell, seeded: Services) -> None:
    words = ("update", "TOKEN", *BOTH, "--description", "d", "--dry-run")
    refused = shell.run(*words)
    left = shell.ok(*words, "--leave-out-unfit")
    assert (refused.code, "prod-insforge: --description" in refused.err) == (2, True)
    assert left.err.splitlines() == [
        "Dry run: would update 'TOKEN' in prod-wix (description).",
        "Dry run: would leave out 'OTHER' in prod-insforge (description).",
    ]


def test_a_dry_run_finds_a_store_twice_and_a_secret_that_is_not_there(shell: Shell, seeded: Services) -> None:
    twice = shell.run("update", "TOKEN", "--to", "prod-wix", *BOTH, "--generate", "--dry-run")
    absent = shell.run("update", "NOPE", *BOTH, "--generate", "--dry-run")
    assert (twice.code, "Do: Name each secret once" in twice.err) == (2, True)
    assert (absent.code, "Dry run: could not update 'NOPE' in prod-wix" in absent.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--id", "1", *BOTH), "--id and --if-version belong to one store"),
        (("TOKEN", "--if-version", "1", *BOTH), "--id and --if-version belong to one store"),
        (("TOKEN", "--to", "vault", "--on-failure", "restore"), "go with several --to"),
        (("TOKEN", "--to", "vault", "--no-journal"), "go with several --to"),
        (("TOKEN", *BOTH, "--no-journal", "--vault", "vault"), "are given together"),
        (("TOKEN", "--to", "vault:"), "takes a secret's name"),
    ],
)
def test_what_belongs_to_one_store_is_refused_for_several(
    shell: Shell, seeded: Services, words: tuple[str, ...], told: str
) -> None:
    done = shell.run("update", *words, "--generate")
    assert (done.code, told in done.err, values(seeded)) == (2, True, ("old", "old"))


def test_the_words_and_facts_of_a_change_made_in_part_are_those_of_the_command_line(
    shell: Shell,
) -> None:
    shell.write(
        '[connections.a]\nprovider = "dotenv"\npath = "a.env"\n'
        '[connections.b]\nprovider = "dotenv"\npath = "b.env"\n'
    )
    shell.write("A=1\n", "a.env")
    shell.write("B=1\n", "b.env")
    partly = shell.run("update", "A", "--to", "a", "--to", "b", "--generate", "--json")
    unfit = shell.run("update", "A", "--to", "a", "--to", "b", "--description", "d")
    missing = shell.run("update", "A", "--to", "b", "--generate")
    rotated = shell.run("rotate", "A", "--to", "a", "--obtain", "sh -c 'rm a.env; printf new'")
    assert (partly.code, json.loads(partly.err)["error"]["applied"]) == (3, True)
    assert "Why: a: --description: the dotenv file cannot keep it" in unfit.err
    assert "Do: secretbridge list CONNECTION shows what is there." in missing.err
    assert "(a: not applied); the old one was not revoked." in rotated.err
