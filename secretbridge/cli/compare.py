"""``diff``: two stores side by side, and no value shown."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

import click

from secretbridge.cli._command import command
from secretbridge.cli._output import counted, note, show_json, table
from secretbridge.cli._session import Code, Doing, Session
from secretbridge.cli._stores import kept_by_runs, opened, store_argument

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secretbridge import Secret, SecretBridge

__all__ = ["diff"]

_FIELDS = (
    "description", "active", "protected", "expires_at", "tool_name", "tool_arg", "default_for_tool",
)  # fmt: skip


@command("diff")
@store_argument("left", "LEFT")
@store_argument("right", "RIGHT")
@click.option("--no-values", is_flag=True, help="Do not read and compare values.")
@click.option("--exit-code", is_flag=True, help="End with 1 where anything is different or unknown.")
def diff(session: Session, left: str, right: str, *, no_values: bool, exit_code: bool) -> int:
    """Compare two stores, without showing values.

    Columns: name, status (only left, only right, equal, different, unknown), what is different. Values are
    read where both stores tell them, and compared; where one does not, they are unknown. Only fields that
    both stores tell are compared. What runs keep in a vault for themselves is left out.
    """
    with opened(session, left) as one, opened(session, right) as other:
        rows = list(_compared(session, (left, one), (right, other), values=not no_values))
    session.doing = None
    if session.json:
        show_json({"left": left, "right": right, "secrets": rows})
    else:
        shown = [row for row in rows if row["status"] != "equal"]
        table(("name", "status", "different"), [[row["name"], row["status"], _what(row)] for row in shown])
        note(session, f"{len(rows) - len(shown)} of {counted(len(rows), 'secret is', 'secrets are')} equal.")
    return Code.FAILED if exit_code and any(row["status"] != "equal" for row in rows) else Code.DONE


def _what(row: dict[str, Any]) -> str:
    words = [] if row["value"] in {None, "equal"} else [f"value ({row['value']})"]
    return ", ".join([*words, *row["fields"]])


def _compared(
    session: Session, left: tuple[str, SecretBridge], right: tuple[str, SecretBridge], *, values: bool
) -> Iterable[dict[str, Any]]:
    ours, theirs = (_by_name(session, *side) for side in (left, right))
    told = left[1].capabilities.list_tells & right[1].capabilities.list_tells
    readable = values and left[1].capabilities.reads_values and right[1].capabilities.reads_values
    for name in sorted(ours.keys() | theirs.keys()):
        one, other = ours.get(name, []), theirs.get(name, [])
        if not one or not other:
            status = "only left" if one else "only right"
            yield {"name": name, "status": status, "value": None, "fields": []}
            continue
        if len(one) > 1 or len(other) > 1:  # which of them is meant cannot be told
            yield {"name": name, "status": "unknown", "value": "unknown", "fields": []}
            continue
        fields = [
            field
            for field in _FIELDS
            if field in told and (getattr(one[0], field) or None) != (getattr(other[0], field) or None)
        ]
        value = _values(session, left, right, name) if readable else "unknown"
        status = "different" if fields or value == "different" else value
        yield {"name": name, "status": status, "value": value, "fields": fields}


def _by_name(session: Session, store: str, bridge: SecretBridge) -> dict[str, list[Secret]]:
    session.doing = Doing(f"list {store}")
    found: dict[str, list[Secret]] = {}
    vault = bridge.capabilities.provider == "local"
    for secret in bridge.iter_secrets():
        if vault and kept_by_runs(secret.name):
            continue
        found.setdefault(secret.name, []).append(secret)
    return found


def _values(
    session: Session, left: tuple[str, SecretBridge], right: tuple[str, SecretBridge], name: str
) -> str:
    from secretbridge.errors import SecretExpired, SecretNotFound, ValueNotTold

    seen: list[bytes] = []
    for store, bridge in (left, right):
        session.doing = Doing(f"read {name!r} in {store}")
        try:
            seen.append(bridge.get_secret(name, metadata=False).reveal().encode())
        except (SecretNotFound, SecretExpired, ValueNotTold):  # inactive, expired, or gone since
            return "unknown"
    return "equal" if hmac.compare_digest(*seen) else "different"
