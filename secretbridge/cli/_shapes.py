"""The JSON of each command. docs/cli.schema.json is made of these types."""

from __future__ import annotations

from typing import Any, TypedDict

from secretbridge.cli._shapes_changes import ChangeEverywhere, Forgotten, Rotated
from secretbridge.cli._shapes_migrations import (
    Migration,
    PlanReport,
    ResumeRehearsal,
    RunList,
    RunReport,
    Synced,
    UndoRehearsal,
)
from secretbridge.cli._shapes_reports import RunDocument
from secretbridge.cli._shapes_secrets import Change, Diff, Expiring, Found, History, Listing
from secretbridge.cli._shapes_stores import CapabilityList, Checks, ConnectionChange, ConnectionList, Init
from secretbridge.cli._shapes_vault import (
    AccountChange,
    AccountList,
    AuditLine,
    AuditReads,
    Backup,
    Described,
    EnvironmentList,
    Moved,
    PurgedRow,
    Rekeyed,
    RetentionRow,
    Slots,
    VaultAnchor,
    Verification,
)

__all__ = ["SHAPES", "ErrorDetails", "ErrorReport"]


class ErrorDetails(TypedDict):
    """What went wrong."""

    type: str
    what: str
    why: list[str]
    do: str
    applied: bool | None
    transient: bool
    retry_after: float | None
    exit_code: int
    cause: str | None


class ErrorReport(TypedDict):
    """Any command, on standard error, where it fails."""

    error: ErrorDetails


#: Command -> what it prints with ``--json``.
SHAPES: dict[str, Any] = {
    "init": Init,
    "connections list": ConnectionList,
    "connections add": ConnectionChange,
    "connections check": Checks,
    "connections remove": ConnectionChange,
    "capabilities": CapabilityList,
    "list": Listing,
    "get": Found,
    "update": Change,
    "update (several)": ChangeEverywhere,
    "create": Change,
    "put": Change,
    "delete": Change,
    "lock": Change,
    "unlock": Change,
    "expiring": Expiring,
    "diff": Diff,
    "history": History,
    "restore": Change,
    "undelete": Change,
    "plan": PlanReport,
    "migrate": Migration,
    "sync": Synced,
    "rotate": Rotated,
    "runs": RunList,
    "resume": RunReport,
    "resume (dry run)": ResumeRehearsal,
    "resume (change)": ChangeEverywhere,
    "resume (rotation)": Rotated,
    "forget": Forgotten,
    "undo": RunReport,
    "undo (dry run)": UndoRehearsal,
    "report": RunDocument,
    "vault verify": Verification,
    "vault audit": AuditLine,
    "vault anchor": VaultAnchor,
    "vault audit-reads": AuditReads,
    "vault describe": Described,
    "vault backup": Backup,
    **{f"vault slots {verb}": Slots for verb in ("list", "add", "change", "remove")},
    "vault rekey": Rekeyed,
    "vault rotate-root": Slots,
    "vault purge": PurgedRow,
    "vault retention": RetentionRow,
    **{f"vault environments {verb}": EnvironmentList for verb in ("list", "add", "rename")},
    "vault share": Change,
    "vault unshare": Change,
    "vault accounts list": AccountList,
    **{
        f"vault accounts {verb}": AccountChange
        for verb in ("add", "add-user", "renew-key", "change", "grant", "revoke", "remove")
    },
    "vault move": Moved,
    "doctor": Checks,
    "error": ErrorReport,
}
