"""``update`` with several ``--to``: one change in many stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secretbridge.cli._output import note, show_json, table
from secretbridge.cli._session import Code, Doing, Session, Stop
from secretbridge.cli._stores import opened
from secretbridge.cli._trouble import in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secretbridge import EverywhereResult
    from secretbridge.cli._kinds import Target

__all__ = ["change_everywhere"]


def change_everywhere(
    session: Session, name: str, to: Sequence[Target], fields: dict[str, Any], options: dict[str, Any]
) -> None:
    """Make one change in several stores, or rehearse it, and say what came of it in each.

    Raises:
        Stop: it was not made in all of them: 4 where that is not known of one, 3 where it is in effect in
            some, else 1.
    """
    if options["dry_run"]:
        _rehearse(session, name, to, fields, allow_one_way=options["allow_one_way"])
        return
    from secretbridge import update_everywhere

    places = ", ".join(one.store for one in to)
    look = f"secretbridge get {name} --in CONNECTION shows what is there now; the change can be made again."
    session.doing = Doing(f"update {name!r} in {places}", changes=True, look=look)
    result = update_everywhere(
        name,
        targets=[one.store if one.name is None else (one.store, one.name) for one in to],
        **fields,
        allow_one_way=options["allow_one_way"],
        verify=options["verify"],
        on_failure=options["on_failure"] or "keep",
        leave_out_unfit=options["leave_out_unfit"],
        check=False,
        config=session.config,
    )
    session.doing = None
    _told(session, name, list(fields), result)


def _told(session: Session, name: str, fields: list[str], result: EverywhereResult) -> None:
    rows = [_row(one) for one in result.to_json()["results"]]
    if session.json:
        show_json({"name": name, "fields": fields, "complete": result.complete, "results": rows})
    else:
        table(
            ("connection", "secret", "what came of it", "guarantee", "why"),
            [
                [one["target"], one["secret"], one["state"], one["guarantee"] or "", one["why"] or ""]
                for one in rows
            ],
        )
    count = len(result) - len(result.left_out)
    if result.complete:
        session.changed(f"updated {name!r} in {count} stores")
        note(session, f"Updated {name!r} in {count} stores ({', '.join(fields)}).")
        return
    raise Stop(
        f"{name!r} was updated in {len(result.updated)} of {count} stores.",
        why="; ".join(f"{one['target']}: {one['state']}" for one in rows if one["state"] != "updated") + ".",
        do="Make the change again where it is wanted and was not made.",
        code=Code.UNKNOWN if result.unknown else Code.PARTLY if result.updated else Code.FAILED,
    )


def _row(one: dict[str, Any]) -> dict[str, Any]:
    why = [in_words(one["error"]["message"])] if "error" in one else []
    why += [one["not_restored"]] if "not_restored" in one else []
    return {key: one.get(key) for key in ("target", "secret", "provider", "state", "seconds")} | {
        "guarantee": one.get("guarantee"),
        "verified": one.get("verified"),
        "version": one.get("version"),
        "why": "; ".join(why) or None,
    }


def _rehearse(
    session: Session, name: str, to: Sequence[Target], fields: dict[str, Any], *, allow_one_way: bool
) -> None:
    """Check the change at each store without sending one."""
    from secretbridge.cli._rehearsal import rehearsed

    rows = []
    for one in to:
        with opened(session, one.store) as bridge:
            secret = one.name or name
            session.doing = Doing(f"update {secret!r} in {one.store}")
            rehearsed(bridge).update_secret(secret, **fields, allow_one_way=allow_one_way)
            session.doing = None
            rows.append(
                {"target": one.store, "secret": secret, "provider": bridge.capabilities.provider}
                | {"state": "would update", "seconds": 0.0, "guarantee": None, "verified": None}
                | {"version": None, "why": None}
            )
    if session.json:
        show_json({"name": name, "fields": list(fields), "complete": False, "results": rows})
        return
    for row in rows:
        note(session, f"Dry run: would update {row['secret']!r} in {row['target']} ({', '.join(fields)}).")
