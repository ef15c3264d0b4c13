"""``update`` with several ``--to``: one change in many stores, and how to go on with it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from secretbridge.cli._interrupt import patient, run_of
from secretbridge.cli._output import counted, note, show_json, table
from secretbridge.cli._session import Code, Doing, Session, Stop
from secretbridge.cli._stores import vault_given
from secretbridge.cli._trouble import by_policy, in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from secretbridge import EverywhereResult
    from secretbridge.cli._kinds import Target

__all__ = ["change_everywhere", "go_on", "how_on", "place_rows", "places_of", "show_places", "stopped"]


def change_everywhere(
    session: Session, name: str, to: Sequence[Target], fields: dict[str, Any], options: dict[str, Any]
) -> None:
    """Make one change in several stores, or rehearse it, and say what came of it in each.

    Raises:
        Stop: it was not made in all of them: 4 where that is not known of one, 3 where it is in effect in
            some, else 1.
    """
    from secretbridge import update_everywhere

    dry_run = options["dry_run"]
    places = ", ".join(one.store for one in to)
    vault = None if options["no_journal"] or dry_run else options["vault"] or "vault"
    look = f"secretbridge get {name} --in CONNECTION shows what is there now"
    look += "; secretbridge runs shows how to go on." if vault else "; the change can be made again."
    session.doing = Doing(f"update {name!r} in {places}", changes=not dry_run, look=look)
    result = _whole(
        session,
        vault,
        lambda: update_everywhere(
            name,
            targets=places_of(to),
            **fields,
            allow_one_way=options["allow_one_way"],
            verify=options["verify"],
            on_failure=options["on_failure"] or "keep",
            leave_out_unfit=options["leave_out_unfit"],
            dry_run=dry_run,
            check=False,
            config=session.config,
            vault=vault,
        ),
        begins=vault is not None,
    )
    _told(session, name, list(fields), result, vault, dry_run=dry_run)


def go_on(session: Session, run: str, name: str, vault: str) -> None:
    """Go on with a change that was broken off or not made everywhere.

    Raises:
        Stop: it is still not made in all of them.
    """
    from secretbridge import resume_everywhere

    look = f"{how_on(run, vault)} goes on."
    session.doing = Doing(f"go on with {run}, the change of {name!r}", changes=True, look=look)
    result = _whole(
        session,
        vault,
        lambda: resume_everywhere(run, vault=vault, check=False, config=session.config),
        begins=False,
    )
    _told(session, name, [], result, vault, dry_run=False)


def how_on(run: str, vault: str | None) -> str:
    """Give the command that goes on with a change."""
    return f"secretbridge resume {run}{vault_given(vault)}"


def places_of(to: Sequence[Target]) -> list[str | tuple[str, str]]:
    """Give the targets as the library takes them."""
    return [one.store if one.name is None else (one.store, one.name) for one in to]


def _whole(
    session: Session, vault: str | None, change: Callable[[], EverywhereResult], *, begins: bool
) -> EverywhereResult:
    """Make it; where it is broken off, say how far it came and how to go on."""
    from secretbridge import VaultError

    try:
        with patient(session):
            result = change()
    except BaseException as ended:
        if begins and isinstance(ended, VaultError) and ended.applied is False:
            # Of a store it would be a result: this is the vault that was to keep the values.
            ended.advice = " ".join(filter(None, (ended.advice, "--no-journal goes without that vault.")))
        run, notes = run_of(ended), getattr(ended, "__notes__", [""])
        doing = session.doing
        if doing is not None and (run is not None or notes[0]):
            look = f"{how_on(run, vault)} goes on with it." if run is not None else doing.look
            session.doing = replace(doing, look=look, so_far=notes[0])
        raise
    session.doing = None
    return result


def _told(
    session: Session,
    name: str,
    fields: list[str],
    result: EverywhereResult,
    vault: str | None,
    *,
    dry_run: bool,
) -> None:
    rows = place_rows(result)
    if session.json:
        show_json(
            {
                "name": name,
                "fields": fields,
                "complete": result.complete,
                "run": result.run_id,
                "results": rows,
            }
        )
    elif not dry_run:
        show_places(rows)
    if dry_run:
        _rehearsed(session, name, fields, result, rows)
        return
    count = len(result) - len(result.left_out)
    if result.complete:
        session.changed(f"updated {name!r} in {counted(count, 'store')}")
        given = f" ({', '.join(fields)})" if fields else ""
        note(session, f"Updated {name!r} in {counted(count, 'store')}{given}.")
        return
    again = "Make the change again where it is wanted and was not made."
    raise stopped(
        result, rows, f"{name!r} was updated in {len(result.updated)} of {counted(count, 'store')}.",
        f"{how_on(result.run_id, vault)} goes on with it." if result.run_id else again,
    )  # fmt: skip


def stopped(result: EverywhereResult, rows: list[dict[str, Any]], what: str, do: str) -> Stop:
    """Give the end of a change that was not made everywhere; the exit code tells how far it came."""
    return Stop(
        what,
        why="; ".join(f"{one['target']}: {one['state']}" for one in rows if one["state"] != "updated") + ".",
        do=do,
        code=Code.UNKNOWN if result.unknown else Code.PARTLY if result.updated else Code.FAILED,
    )


def _rehearsed(
    session: Session, name: str, fields: list[str], result: EverywhereResult, rows: list[dict[str, Any]]
) -> None:
    words = {"would update": "would update", "left out": "would leave out"}
    for row in rows:
        what = words.get(row["state"], "could not update")
        note(session, f"Dry run: {what} {row['secret']!r} in {row['target']} ({', '.join(fields)}).")
    if result.not_applied:
        refused = any(by_policy(one.error) for one in result.not_applied)
        raise Stop(
            f"{name!r} could not be updated everywhere; nothing was sent.",
            why="; ".join(f"{row['target']}: {row['why']}" for row in rows if row["state"] == "not applied"),
            code=Code.REFUSED if refused else Code.FAILED,
        )


def show_places(rows: list[dict[str, Any]]) -> None:
    """Print what came of it in each store."""
    table(
        ("connection", "secret", "what came of it", "guarantee", "why"),
        [
            [one["target"], one["secret"], one["state"], one["guarantee"] or "", one["why"] or ""]
            for one in rows
        ],
    )


def place_rows(result: EverywhereResult) -> list[dict[str, Any]]:
    """Give what came of it in each store, for JSON."""
    return [_row(one) for one in result.to_json()["results"]]


def _row(one: dict[str, Any]) -> dict[str, Any]:
    why = [in_words(one["error"]["message"])] if "error" in one else []
    why += [one["not_restored"]] if "not_restored" in one else []
    return {key: one.get(key) for key in ("target", "secret", "provider", "state", "seconds")} | {
        "guarantee": one.get("guarantee"),
        "verified": one.get("verified"),
        "version": one.get("version"),
        "why": "; ".join(why) or None,
    }
