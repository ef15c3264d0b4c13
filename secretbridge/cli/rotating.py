"""``rotate``: a new token from a command, written everywhere, and the old one revoked by another command."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from secretbridge.cli._asking import agree, dry_run_option, yes_option
from secretbridge.cli._command import adding, command
from secretbridge.cli._interrupt import patient, run_of
from secretbridge.cli._kinds import Where, Whole
from secretbridge.cli._output import counted, note, show_json
from secretbridge.cli._session import Code, Doing, Session, Stop
from secretbridge.cli._several import place_rows, places_of, show_places
from secretbridge.cli._stores import name_argument, vault_given, vault_of_values
from secretbridge.cli._trouble import in_words, of_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from secretbridge import EverywhereResult, Rotation, RotationIncomplete
    from secretbridge.cli._kinds import Target

__all__ = ["go_on", "how_on", "rotate", "step_options"]

F = TypeVar("F", bound="Callable[..., Any]")

_LIMIT: Final = 60
_STEPS: Final = ("obtain", "revoke", "revoke_variable", "time_limit")


def step_options(*, required: bool) -> Callable[[F], F]:
    """Add the options that say where a new token comes from and how the old one is revoked."""
    options = [
        click.option(
            "--obtain", metavar="COMMAND", required=required,
            help="Writes a new token to its standard output; run without a shell.",
        ),
        click.option(
            "--revoke", metavar="COMMAND",
            help="Revokes the old token, which it gets on its standard input.",
        ),
        click.option(
            "--revoke-variable", metavar="VARIABLE",
            help="It gets the old token in this environment variable instead.",
        ),
        click.option(
            "--time-limit", type=Whole(1, 3600), metavar="SECONDS",
            help=f"What each command may take; {_LIMIT} without it.",
        ),
    ]  # fmt: skip
    return adding(options)


@command("rotate")
@name_argument()
@click.option(
    "--in", "--to", "to", type=Where(), multiple=True, required=True, metavar="CONNECTION[:NAME]",
    help="A store that keeps it, and what it is called there if not NAME; may be given several times.",
)  # fmt: skip
@step_options(required=True)
@click.option(
    "--accept-unverifiable",
    is_flag=True,
    help="Revoke the old token although a store never tells whether it has the new one.",
)
@vault_of_values()
@yes_option("Do not ask before --revoke; needed without a terminal.")
@dry_run_option("Check it and say what would be done; run no command.")
def rotate(session: Session, name: str, to: tuple[Target, ...], **options: Any) -> None:  # noqa: ANN401 - click's own
    """Get a new token, write it everywhere, revoke the old one.

    In this order: check the stores, keep the old token, run --obtain, keep the new token, write it into
    every store, read it back, run --revoke. Tokens are kept in a vault meanwhile, and each step is written
    down: resume goes on where it was broken off. The old token is revoked only when the new one is in every
    store.
    """
    from secretbridge import rotate as library

    steps = _steps(options)
    stores = ", ".join(one.store for one in to)
    vault, dry_run = options["vault"] or "vault", options["dry_run"]
    if "revoke" in steps and not dry_run:
        agree(f"This writes a new token {name!r} into {stores}, and revokes the old one.", yes=options["yes"])
    look = "secretbridge runs shows how far it came, and how to go on."
    session.doing = Doing(f"rotate {name!r} in {stores}", changes=not dry_run, look=look)
    made = _through(
        session,
        vault,
        options,
        lambda: library(
            name,
            targets=places_of(to),
            vault=vault,
            accept_unverifiable=options["accept_unverifiable"],
            dry_run=dry_run,
            config=session.config,
            **steps,
        ),
    )
    if dry_run:
        _rehearsed(session, name, made.results, revokes="revoke" in steps)
    else:
        _told(session, name, made)


def go_on(session: Session, run: str, name: str, vault: str, options: dict[str, Any]) -> None:
    """Go on with a rotation that was broken off or did not come to its end.

    Raises:
        Stop: a step failed.
    """
    from secretbridge import resume_rotation

    if options["obtain"] is None:
        raise click.UsageError("A rotation needs its commands again: --obtain, and --revoke if it had one.")
    steps = _steps(options)
    session.doing = Doing(f"go on with {run}, the rotation of {name!r}", changes=True)
    made = _through(
        session,
        vault,
        options,
        lambda: resume_rotation(run, vault=vault, config=session.config, **steps),
    )
    _told(session, name, made)


def how_on(run: str, vault: str | None, options: dict[str, Any]) -> str:
    """Give the command that goes on with a rotation; what holds no token stands in it again."""
    import shlex

    words = [f"secretbridge resume {run}{vault_given(vault)}"]
    for name in _STEPS:
        if options.get(name) is not None:
            words += [f"--{name.replace('_', '-')}", shlex.quote(str(options[name]))]
    return " ".join(words)


def _steps(options: dict[str, Any]) -> dict[str, Any]:
    """Give what the library calls, in its words.

    Raises:
        UsageError: a command is not one, or an option goes with another.
    """
    import shlex

    if options["revoke_variable"] is not None and options["revoke"] is None:
        raise click.UsageError("--revoke-variable goes with --revoke.")
    steps: dict[str, Any] = {"time_limit": float(options["time_limit"] or _LIMIT)}
    for name in ("obtain", "revoke"):
        if options[name] is None:
            continue
        words: list[str] = []
        try:
            words = shlex.split(options[name])
        except ValueError:
            words = []  # a quote that is not closed
        if not words or not words[0]:
            raise click.UsageError(f"--{name} takes a program and its arguments, quoted as for a shell.")
        steps[name] = words
    if options["revoke_variable"] is not None:
        steps["revoke_variable"] = options["revoke_variable"]
    return steps


def _through(session: Session, vault: str, options: dict[str, Any], work: Callable[[], Rotation]) -> Rotation:
    from secretbridge import RotationIncomplete, SecretBridgeError

    incomplete: RotationIncomplete | None = None
    stopped: SecretBridgeError | None = None
    try:
        with patient(session):
            return work()
    except RotationIncomplete as failed:
        incomplete = failed
    except SecretBridgeError as failed:
        if run_of(failed) is None:  # before it was begun
            raise
        stopped = failed
    except BaseException as ended:
        run = run_of(ended)
        if run is not None and session.doing is not None:
            session.doing = replace(session.doing, look=f"{how_on(run, vault, options)} goes on with it.")
        raise
    if stopped is not None:
        code = of_error(session, stopped).code
        session.doing = None
        again = how_on(str(run_of(stopped)), vault, options)
        raise Stop(in_words(stopped.message), do=f"{again} goes on with it.", code=code)
    session.doing = None
    assert incomplete is not None  # noqa: S101 - one of the two
    results = incomplete.results
    if results is not None and not session.json:
        show_places(place_rows(results))
    raise Stop(
        in_words(incomplete.message),
        do=f"{how_on(incomplete.run_id, vault, options)} goes on with it.",
        code=_code(incomplete.step, results),
    )


def _code(step: str, results: EverywhereResult | None) -> Code:
    """Give how far it came: what was written stays written."""
    if step == "obtain" or results is None:
        return Code.FAILED
    if results.unknown:
        return Code.UNKNOWN
    return Code.PARTLY if results.updated else Code.FAILED


def _told(session: Session, name: str, made: Rotation) -> None:
    rows = place_rows(made.results)
    if session.json:
        show_json(
            {"name": name, "run": made.run_id, "results": rows, "verified": list(made.verified)}
            | {"revoked": made.revoked, "dry_run": False}
        )
    else:
        show_places(rows)
    session.changed(f"rotated {name!r}")
    ended = "No old token was revoked."
    if made.revoked:
        ended = f"{counted(made.revoked, 'old token')} {'was' if made.revoked == 1 else 'were'} revoked."
    has = f"{name!r} has a new token in {counted(len(rows), 'store')}"
    note(session, f"{has}; it was read back in {len(made.verified)}. {ended}")


def _rehearsed(session: Session, name: str, results: EverywhereResult, *, revokes: bool) -> None:
    session.doing = None
    rows = place_rows(results)
    if session.json:
        show_json({"name": name, "run": "", "results": rows, "verified": [], "revoked": 0, "dry_run": True})
    for row in rows:
        if row["state"] == "would update":
            note(session, f"Dry run: would write a new token {row['secret']!r} into {row['target']}.")
    if revokes and not results.not_applied:
        note(session, "Dry run: would then revoke the old one.")
    if results.not_applied:
        raise Stop(
            f"{name!r} could not be rotated; nothing was done.",
            why="; ".join(f"{row['target']}: {row['why']}" for row in rows if row["why"]),
        )
