"""Where a value comes from, and that it never comes from the command line."""

from __future__ import annotations

import string

import pytest
from cli_place import Services, Shell, services, shell

__all__ = ["services", "shell"]


@pytest.mark.parametrize("verb", ["update", "create", "put"])
@pytest.mark.parametrize("words", [("--value", "Zx9c0ffee"), ("--value=Zx9c0ffee",)])
def test_a_value_on_the_command_line_is_refused_with_the_reason_and_not_repeated(
    shell: Shell, verb: str, words: tuple[str, ...]
) -> None:
    done = shell.run(verb, "TOKEN", "--to", "vault", *words)
    assert (done.code, done.out, "Zx9c0ffee" in done.err) == (2, "", False)
    assert "others on this machine can read a process's arguments" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("update", "TOKEN", "Zx9c0ffee", "--to", "vault"),
        ("update", "TOKEN", "--to", "vault", "--generate", "Zx9c0ffee"),
        ("update", "TOKEN", "--to", "vault", "--expires-at", "Zx9c0ffee"),
        ("update", "TOKEN", "--to", "vault", "--alphabet", "Zx9c0ffee"),
        ("update", "TOKEN", "--to", "vault", "--clear", "Zx9c0ffee"),
        ("update", "TOKEN", "--to", "Zx9c0ffee!"),
        ("update", "TOKEN", "--to", "vault", "--from", "Zx9c0ffee"),
        ("update", "TOKEN", "--to", "vault", "--stdin=Zx9c0ffee"),
        ("update", "TOKEN", "--to", "vault", "--Zx9c0ffee"),
        ("update", "TOKEN", "--to", "vault", "-Zx9c0ffee"),
        ("update", "TOKEN", "--to", "vault", "--if-version", "Zx9c0ffee"),
        ("expiring", "--within", "Zx9c0ffee"),
        ("completion", "Zx9c0ffee"),
        ("connections", "add", "one", "--provider", "wix", "--option", "Zx9c0ffee"),
        ("connections", "add", "one", "--provider", "wix", "--credential", "Zx9c0ffee"),
        ("run", "vault", "--rename", "Zx9c0ffee", "--", "true"),
        ("run", "--rename", "Zx9c0ffee", "vault", "--", "true"),
        ("Zx9c0ffee",),
        ("vault", "Zx9c0ffee"),
    ],
)
def test_what_is_wrong_on_the_command_line_is_not_repeated(shell: Shell, words: tuple[str, ...]) -> None:
    done = shell.run(*words)
    assert (done.out, "Zx9c0ffee" in done.err, done.err.startswith("Error: ")) == ("", False, True)
    assert done.code == 2


@pytest.mark.parametrize(
    ("stdin", "options", "kept"),
    [
        ("v", (), "v"),
        ("v\n", (), "v\n"),
        ("v\r\n", ("--strip-newline",), "v"),
        ("v\n\n", ("--strip-newline",), "v\n"),
        ("\tv ü ", ("--strip-newline",), "\tv ü "),
        ("", ("--allow-empty",), ""),
    ],
)
def test_standard_input_is_taken_as_it_is(
    shell: Shell, stdin: str, options: tuple[str, ...], kept: str
) -> None:
    shell.put("TOKEN", stdin, *options)
    assert shell.value("TOKEN") == kept


def test_a_line_end_that_is_kept_is_warned_about(shell: Shell) -> None:
    done = shell.ok("create", "TOKEN", "--to", "vault", "--stdin", stdin="v\n")
    assert done.err.startswith("Warning: The value ends with a line end, which is kept; --strip-newline")


def test_a_file_is_taken_as_it_is(shell: Shell) -> None:
    shell.write("first\nsecond\n", "token")
    shell.ok("create", "TOKEN", "--to", "vault", "--file", "token", "--strip-newline")
    assert shell.value("TOKEN") == "first\nsecond"


@pytest.mark.parametrize("path", ["missing", ".", "\0"])
def test_a_file_that_cannot_be_read_is_told(shell: Shell, path: str) -> None:
    done = shell.run("create", "TOKEN", "--to", "vault", "--file", path)
    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "Error: The file of the value could not be read; nothing was sent.",
    )


@pytest.mark.parametrize(
    ("stdin", "told"),
    [(b"", "The value is empty"), (b"\xff\xfe", "Standard input is not UTF-8")],
)
def test_what_cannot_be_meant_as_a_value_is_refused(shell: Shell, stdin: bytes, told: str) -> None:
    done = shell.run("create", "TOKEN", "--to", "vault", "--stdin", stdin=stdin)
    assert (done.code, done.err.splitlines()[0]) == (2, f"Error: {told}; nothing was sent.")


def test_a_value_that_is_too_long_is_refused(shell: Shell) -> None:
    done = shell.run("create", "TOKEN", "--to", "vault", "--stdin", stdin=b"x" * 67_108_865)
    assert (done.code, done.err) == (
        2,
        "Error: Standard input is longer than 67,108,864 bytes; nothing was sent.\n",
    )


def test_a_value_is_taken_from_another_store(shell: Shell, services: Services) -> None:
    services.wix.seed("STRIPE_KEY", "sk-1")
    shell.ok("create", "PAYMENT", "--to", "vault", "--from", "prod-wix:STRIPE_KEY")
    assert shell.value("PAYMENT") == "sk-1"


def test_a_value_that_the_other_store_has_not_is_told(shell: Shell, services: Services) -> None:
    services.ionet.seed("KEY", "value-1")
    missing = shell.run("create", "PAYMENT", "--to", "vault", "--from", "prod-wix:NOPE")
    silent = shell.run("create", "PAYMENT", "--to", "vault", "--from", "prod-ionet:KEY")
    assert (missing.code, silent.code, shell.ok("list", "vault").out) == (1, 1, "")
    assert missing.err.splitlines()[0] == "Error: Could not read 'NOPE' in prod-wix."


@pytest.mark.parametrize(
    ("words", "length", "letters"),
    [
        (("--generate",), 32, string.ascii_letters + string.digits),
        (("--generate", "64", "--alphabet", "hex"), 64, "0123456789abcdef"),
        (("--generate=6", "--alphabet=digits"), 6, string.digits),
        (("--generate=500", "--alphabet=letters"), 500, string.ascii_letters),
        (("--generate=500", "--alphabet=url"), 500, string.ascii_letters + string.digits + "-_"),
        (("--generate=500", "--alphabet=printable"), 500, "".join(map(chr, range(33, 127)))),
    ],
)
def test_a_value_is_generated(shell: Shell, words: tuple[str, ...], length: int, letters: str) -> None:
    first = shell.ok("create", "ONE", "--to", "vault", *words)
    shell.ok("create", "TWO", "--to", "vault", *words)
    one, two = shell.value("ONE"), shell.value("TWO")
    assert (len(one), set(one) - set(letters), one == two) == (length, set(), False)
    assert one not in first.out + first.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--stdin", "--generate"), "--stdin and --generate name several values; give one of them."),
        (("--ask", "--file", "x"), "--ask and --file name several values; give one of them."),
        (("--alphabet", "hex"), "--alphabet goes with --generate."),
        (("--generate", "--strip-newline"), "--strip-newline goes with --stdin or --file."),
        (("--generate", "0"), "--generate takes a whole number from 1 to 4,096."),
        (("--description", "x", "--clear", "description"),
         "--description and --clear description are given together; give one of them."),
        (("--expires-at", "2027-01-31"),
         "--expires-at needs a time and a zone: 2027-01-31T00:00Z is midnight in UTC."),
        (("--expires-at", "999999w"), "--expires-at is further away than the calendar goes."),
        (("--expires-at", "0001-01-01T00:00+10:00"), "--expires-at is further away than the calendar goes."),
        (("--expires-at", "soon"),
         "--expires-at takes a moment such as 2027-01-31T00:00Z, or a time such as 90d."),
        (("--id", "x"), "Give either NAME or --id."),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together_are_told(shell: Shell, words: tuple[str, ...], told: str) -> None:
    done = shell.run("update", "TOKEN", "--to", "vault", *words)
    assert (done.code, done.err) == (
        2,
        f"Error: {told}\nDo: secretbridge update --help shows what there is.\n",
    )


def test_without_a_value_and_without_a_terminal_the_ways_are_named(shell: Shell) -> None:
    done = shell.run("update", "TOKEN", "--to", "vault")
    assert (done.code, done.err) == (
        2,
        (
            "Error: There is no value; nothing was sent.\n"
            "Why: Standard input is no terminal to ask on.\n"
            "Do: Give --stdin, --file FILE, --from CONNECTION:NAME or --generate.\n"
        ),
    )


def test_without_a_store_the_ways_to_name_one_are_told(shell: Shell) -> None:
    done = shell.run("update", "TOKEN", "--generate")
    assert (done.code, done.err) == (
        2,
        (
            "Error: --in is missing.\n"
            "Do: Name a store: secretbridge connections list shows them, and vault is the embedded one.\n"
        ),
    )
