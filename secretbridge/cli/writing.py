"""``update``, ``create``, ``put``, ``delete``, ``lock`` and ``unlock``: one secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from secretbridge.cli._asking import agree, dry_run_option, yes_option
from secretbridge.cli._command import command
from secretbridge.cli._fields import field_options, fields_of
from secretbridge.cli._kinds import OneOf, SecretName, Where, Whole
from secretbridge.cli._output import note, show_json
from secretbridge.cli._session import Code, Doing, Session, Stop
from secretbridge.cli._stores import called, id_option, in_option, name_argument, opened, vault_of_values
from secretbridge.cli._values import source_of, value_of, value_options
from secretbridge.errors import SecretNotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from secretbridge import Secret, SecretBridge
    from secretbridge.cli._kinds import Target

__all__ = ["create", "delete", "lock", "put", "tell_change", "unlock", "update"]

_DRY = dry_run_option("Check it and say what would be done; send no change.")
_VERIFY = click.option("--verify", is_flag=True, help="Read back what can be read, and say whether it is so.")


@command("update")
@name_argument(required=False)
@id_option()
@click.option(
    "--in",
    "--to",
    "to",
    type=Where(),
    multiple=True,
    required=True,
    metavar="CONNECTION[:NAME]",
    help="The store, and what the secret is called there if not NAME; may be given several times.",
)
@value_options()
@field_options(clears=True)
@click.option("--rename", "new_name", type=SecretName(), metavar="NEW", help="The name it is to have.")
@click.option("--if-version", type=Whole(1), metavar="N", help="Only if it is at this version (vault).")
@click.option(
    "--on-failure",
    type=OneOf("keep", "restore"),
    help="With several stores: leave what was done, or put the previous state back where that can be read.",
)
@click.option(
    "--leave-out-unfit", is_flag=True, help="With several stores: leave out those that cannot hold it."
)
@vault_of_values()
@click.option(
    "--no-journal", is_flag=True, help="With several stores: keep no values, so that resume cannot go on."
)
@_VERIFY
@_DRY
def update(
    session: Session,
    to: tuple[Target, ...],
    name: str | None,
    id: str | None,
    **options: Any,  # noqa: ANN401 - click's own
) -> None:
    """Change a secret; what is not given stays as it is.

    With neither a field nor a source of the value it asks for the value. A field is set by its option and
    cleared by --clear. With several --to all stores are checked first; then it is changed in all of them
    side by side, and a failure in one stops no other: 3 tells that it was changed in some. The new value and
    the previous ones are kept in a vault until it has been changed in all: resume goes on with it.
    """
    what = called(name, id)
    first, *others = to
    several = bool(others) or first.name is not None
    source = source_of(options)
    fields = fields_of(options)
    if options["new_name"] is not None:
        fields["new_name"] = options["new_name"]
    if several and (name is None or options["if_version"] is not None):
        raise click.UsageError("--id and --if-version belong to one store; with several, give NAME alone.")
    of_several = ("on_failure", "leave_out_unfit", "vault", "no_journal")
    if not several and any(options[one] not in {None, False} for one in of_several):
        raise click.UsageError(
            "--on-failure, --leave-out-unfit, --vault and --no-journal go with several --to."
        )
    if options["vault"] is not None and options["no_journal"]:
        raise click.UsageError("--vault and --no-journal are given together; give one of them.")
    if source.given() or not fields:
        fields = {"value": value_of(session, source, what), **fields}
    if several and name is not None:
        from secretbridge.cli._several import change_everywhere

        change_everywhere(session, name, to, fields, options)
        return
    how: dict[str, Any] = {key: options[key] for key in ("if_version", "allow_one_way", "verify")}
    how["verify"] = how["verify"] and not options["dry_run"]  # there is nothing to read back
    _change(
        session, "update", first.store, what, fields, name=name, id=id, dry_run=options["dry_run"],
        call=lambda bridge: bridge.update_secret(name, id=id, **fields, **how),
    )  # fmt: skip


@command("create")
@name_argument()
@in_option(to=True)
@value_options()
@field_options(clears=False)
@_DRY
def create(session: Session, store: str, name: str, **options: Any) -> None:  # noqa: ANN401 - click's own
    """Make a new secret.

    Without a source of the value it asks for it. It fails where the name is taken; put replaces.
    """
    _new(session, "create", store, name, options)


@command("put")
@name_argument()
@in_option(to=True)
@value_options()
@field_options(clears=False)
@_DRY
def put(session: Session, store: str, name: str, **options: Any) -> None:  # noqa: ANN401 - click's own
    """Create a secret, or replace it as if newly created.

    Fields that are not given return to the store's default; update leaves them. Without a source of the
    value it asks for it.
    """
    _new(session, "put", store, name, options)


@command("delete")
@name_argument(required=False)
@id_option()
@in_option()
@click.option("--missing-ok", is_flag=True, help="Take it as done where there is no such secret.")
@yes_option()
@_DRY
def delete(session: Session, store: str, name: str | None, id: str | None, **options: Any) -> None:  # noqa: ANN401 - click's own
    """Delete a secret.

    At most stores this cannot be taken back; in a vault, undelete brings it back.
    """
    what = called(name, id)
    if not options["dry_run"]:
        agree(f"This deletes {what} in {store}.", yes=options["yes"])

    missing = False

    def call(bridge: SecretBridge) -> None:
        nonlocal missing
        try:
            bridge.delete_secret(name, id=id)
        except SecretNotFound:
            if not options["missing_ok"]:
                raise
            missing = True

    _change(
        session, "delete", store, what, {}, name=name, id=id, dry_run=options["dry_run"], call=call,
        idle=lambda: missing,
    )  # fmt: skip


@command("lock")
@name_argument(required=False)
@id_option()
@in_option()
@click.option("--allow-one-way", is_flag=True, help="Consent where the store cannot unlock it again.")
@_DRY
def lock(session: Session, store: str, name: str | None, id: str | None, **options: Any) -> None:  # noqa: ANN401 - click's own
    """Protect a secret against changes.

    It can still be read. A change is refused until unlock.
    """
    _protect(session, "lock", store, options, name=name, id=id)


@command("unlock")
@name_argument(required=False)
@id_option()
@in_option()
@_DRY
def unlock(session: Session, store: str, name: str | None, id: str | None, **options: Any) -> None:  # noqa: ANN401 - click's own
    """Let a protected secret be changed again."""
    _protect(session, "unlock", store, options, name=name, id=id)


def _protect(
    session: Session,
    operation: str,
    store: str,
    options: dict[str, Any],
    *,
    name: str | None,
    id: str | None,
) -> None:
    what = called(name, id)
    how: dict[str, Any] = {
        "protected": operation == "lock",
        "allow_one_way": options.get("allow_one_way", False),
    }

    def call(bridge: SecretBridge) -> Secret:
        if "protected" not in bridge.capabilities.update:
            raise Stop(
                f"{store} cannot protect a secret; nothing was sent.",
                do=f"secretbridge capabilities {store} shows what it can do.",
                code=Code.USAGE,
            )
        return bridge.update_secret(name, id=id, **how)

    _change(
        session, operation, store, what, {"protected": how["protected"]}, name=name, id=id,
        dry_run=options["dry_run"], call=call,
    )  # fmt: skip


def _new(session: Session, operation: str, store: str, name: str, options: dict[str, Any]) -> None:
    source = source_of(options)
    fields = fields_of(options)
    fields["value"] = value_of(session, source, repr(name))
    one_way = options["allow_one_way"]

    def call(bridge: SecretBridge) -> Secret:
        verb = bridge.create_secret if operation == "create" else bridge.put_secret
        return verb(name, **fields, allow_one_way=one_way)

    _change(
        session,
        operation,
        store,
        repr(name),
        fields,
        name=name,
        id=None,
        dry_run=options["dry_run"],
        call=call,
    )


def _change(
    session: Session,
    operation: str,
    store: str,
    what: str,
    fields: dict[str, Any],
    *,
    name: str | None,
    id: str | None,
    dry_run: bool,
    call: Callable[[SecretBridge], Secret | None],
    idle: Callable[[], bool] = lambda: False,
) -> None:
    """Make one change, or rehearse it, and say so; ``idle`` says afterwards that there was nothing to do."""
    with opened(session, store) as bridge:
        address = name if id is None else f"--id {id}"
        look = f"secretbridge get {address} --in {store} shows what is there now."
        session.doing = Doing(f"{operation} {what} in {store}", changes=not dry_run, look=look)
        secret = call(bridge.rehearsal() if dry_run else bridge)
        if not dry_run and not idle():
            session.changed(f"did {operation} {what} in {store}")
    session.doing = None
    if idle():
        _tell_idle(session, operation, store, name=name, id=id, dry_run=dry_run)
        return
    tell_change(session, operation, store, list(fields), name=name, id=id, secret=secret, dry_run=dry_run)


def _tell_idle(
    session: Session, operation: str, store: str, *, name: str | None, id: str | None, dry_run: bool
) -> None:
    """Say that there was nothing to change."""
    if session.json:
        show_json(
            {"connection": store, "operation": operation, "name": name, "id": id, "fields": list[str]()}
            | {"dry_run": dry_run, "applied": False, "secret": None}
        )
    would = "Dry run: nothing would be" if dry_run else "Nothing was"
    note(session, f"{would} {operation}d: {store} has no {called(name, id)}.")


def tell_change(
    session: Session,
    operation: str,
    store: str,
    fields: list[str],
    *,
    name: str | None,
    id: str | None,
    secret: Secret | None,
    dry_run: bool,
) -> None:
    """Say what was, or would be, changed."""
    if session.json:
        from secretbridge.cli._shapes_secrets import secret_row

        row = None if secret is None or dry_run else secret_row(secret)
        show_json(
            {"connection": store, "operation": operation, "name": name, "id": id, "fields": fields}
            | {"dry_run": dry_run, "applied": not dry_run, "secret": row}
        )
        return
    sentence = _sentence(operation, called(name, id), store, fields, dry_run=dry_run)
    if secret is not None and secret.version is not None and not dry_run:
        sentence += f" It is at version {secret.version}."
    if secret is not None and secret.verified is not None:
        sentence += " It was read back as sent." if secret.verified else " What was read back is different."
    note(session, sentence)


def _sentence(operation: str, what: str, store: str, fields: list[str], *, dry_run: bool) -> str:
    changed = f" ({', '.join(fields)})" if operation == "update" else ""
    if dry_run:
        return f"Dry run: would {operation} {what} in {store}{changed}."
    done = "Put" if operation == "put" else operation.capitalize().removesuffix("e") + "ed"
    return f"{done} {what} in {store}{changed}."
