"""The commands: each is a line here and loads when it is called."""

from __future__ import annotations

from typing import Final

import click

from secretbridge.cli._command import Entry, Family

__all__ = ["ROOT"]

_CONNECTIONS: Final = Family(
    "connections",
    help="Name stores, and see which are named.",
    short_help="Name stores, and see which are named.",
    table={
        "list": Entry("connections", "listing", "List the connections by name."),
        "add": Entry("connections", "add", "Write a connection into a file."),
        "check": Entry("connections", "check", "Try connections, without changing anything."),
        "remove": Entry("connections", "remove", "Take a connection out of its file."),
    },
)
_SLOTS: Final = Family(
    "slots",
    help="The ways into a vault: each credential that opens it has a slot.",
    short_help="The ways into a vault.",
    table={
        "list": Entry("vault_keys", "slots_list", "List the ways into a vault."),
        "add": Entry("vault_keys", "slots_add", "Add a way into a vault; what opens it already stays."),
        "change": Entry(
            "vault_keys", "slots_change", "Put another credential into a slot, such as a new passphrase."
        ),
        "remove": Entry("vault_keys", "slots_remove", "Take a way into a vault away."),
    },
)
_ENVIRONMENTS: Final = Family(
    "environments",
    help="The environments of a vault.",
    short_help="The environments of a vault.",
    table={
        "list": Entry("vault_care", "environments_list", "List the environments of a vault."),
        "add": Entry("vault_care", "environments_add", "Add an environment to a vault; none can be removed."),
        "rename": Entry(
            "vault_care", "environments_rename", "Give an environment another name; what it holds stays."
        ),
    },
)
_ACCOUNTS: Final = Family(
    "accounts",
    help="Who may do what in a vault, beside its owner.",
    short_help="Who may do what in a vault, beside its owner.",
    table={
        "list": Entry("vault_accounts", "listing", "List the accounts of a vault."),
        "add": Entry("vault_accounts", "add", "Add a service account to a vault, with a key of its own."),
        "add-user": Entry("vault_users", "add_user", "Add a user, who has a credential of his own."),
        "renew-key": Entry(
            "vault_users", "renew_key", "Give a service account a new key; the old one opens nothing more."
        ),
        "change": Entry(
            "vault_users", "change", "Say until when, and in which environments, an account acts."
        ),
        "grant": Entry("vault_accounts", "grant", "Give an account roles or permissions."),
        "revoke": Entry(
            "vault_accounts", "revoke", "Take roles or permissions from an account; it holds at once."
        ),
        "remove": Entry("vault_accounts", "remove", "Remove an account and its key; it is refused at once."),
    },
)
_VAULT: Final = Family(
    "vault",
    help="Look after an embedded vault: its soundness, its audit trail, its backup, its keys.",
    short_help="Look after an embedded vault.",
    table={
        "verify": Entry("vault", "verify", "Check a whole vault, and its audit trail against an anchor."),
        "audit": Entry("vault", "audit", "Print the audit trail of a vault."),
        "audit-reads": Entry(
            "vault_about", "audit_reads", "Say whether the audit trail tells of reading and listing."
        ),
        "describe": Entry(
            "vault_about", "describe", "Tell where a secret has a value, and where it is protected."
        ),
        "anchor": Entry("vault", "anchor", "Print where the audit trail is at, to be kept elsewhere."),
        "backup": Entry("vault", "backup", "Copy a vault as it is at one moment."),
        "slots": _SLOTS,
        "rekey": Entry("vault_keys", "rekey", "Encrypt everything in a vault anew."),
        "rotate-root": Entry(
            "vault_keys", "rotate_root", "Give a vault a new root key, for the credentials that are named."
        ),
        "purge": Entry("vault_care", "purge", "Remove for good what a vault need not keep."),
        "retention": Entry("vault_care", "retention", "Show or set how much of its history a vault keeps."),
        "environments": _ENVIRONMENTS,
        "share": Entry(
            "vault_care", "share", "Make this environment's value of a secret that of all environments."
        ),
        "unshare": Entry("vault_care", "unshare", "Give every environment its own copy of a shared secret."),
        "accounts": _ACCOUNTS,
        "move": Entry(
            "vault_care", "move", "Copy a whole vault to where there is none: a file, or PostgreSQL."
        ),
    },
)

#: Name -> where it is. A command that comes later is one line more.
ROOT: Final = Family(
    "secretbridge",
    help="Change, list, compare and use secrets in several stores. A value never stands on the command line.",
    params=[],
    context_settings={"help_option_names": ["-h", "--help"]},
    table={
        "init": Entry("init", "init", "Make a vault and name a first store."),
        "connections": _CONNECTIONS,
        "capabilities": Entry("capabilities", "capabilities", "Show what stores can do."),
        "list": Entry("reading", "listing", "List the secrets of a store, without values."),
        "get": Entry("reading", "get", "Show one secret; its value only if asked for."),
        "update": Entry("writing", "update", "Change a secret; what is not given stays as it is."),
        "create": Entry("writing", "create", "Make a new secret."),
        "put": Entry("writing", "put", "Create a secret, or replace it as if newly created."),
        "delete": Entry("writing", "delete", "Delete a secret."),
        "lock": Entry("writing", "lock", "Protect a secret against changes."),
        "unlock": Entry("writing", "unlock", "Let a protected secret be changed again."),
        "expiring": Entry("expiring", "expiring", "List what expires within a time."),
        "rotate": Entry("rotating", "rotate", "Get a new token, write it everywhere, revoke the old one."),
        "diff": Entry("compare", "diff", "Compare two stores, without showing values."),
        "run": Entry("running", "run", "Run a program that gets secrets as environment variables."),
        "history": Entry("past", "history", "List the versions of a secret in a vault."),
        "restore": Entry("past", "restore", "Bring back an older version of a secret in a vault."),
        "undelete": Entry("past", "undelete", "Bring back a deleted secret in a vault."),
        "plan": Entry("moving", "plan", "Say what a migration would do and lose."),
        "migrate": Entry("moving", "migrate", "Copy secrets from one store to another, by a plan."),
        "sync": Entry(
            "syncing", "sync", "Bring a target to where its source is; again, only what has changed."
        ),
        "runs": Entry("runs", "runs", "List what was begun with a journal, and how to go on with it."),
        "resume": Entry("runs", "resume", "Go on with a run that was interrupted or did not do all."),
        "undo": Entry("runs", "undo", "Take back what a migration did at its target."),
        "forget": Entry(
            "forgetting", "forget", "Give up a change or a rotation, and delete the values that it keeps."
        ),
        "report": Entry("report", "report", "Report what came of a migration, as JSON, Markdown or a page."),
        "vault": _VAULT,
        "doctor": Entry("doctor", "doctor", "Check the installation and every connection, changing nothing."),
        "completion": Entry("completion", "completion", "Print the completion script for a shell."),
    },
)


def _version(ctx: click.Context, _param: click.Parameter, value: object) -> None:
    if value and not ctx.resilient_parsing:
        import secretbridge

        click.echo(f"secretbridge {secretbridge.__version__}")
        ctx.exit()


ROOT.params.append(
    click.Option(
        ["--version"], is_flag=True, is_eager=True, expose_value=False, help="Show the version.",
        callback=_version,
    )
)  # fmt: skip
