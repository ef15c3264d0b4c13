"""The JSON that commands print. docs/cli.schema.json is made of these types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

if TYPE_CHECKING:
    from secretbridge import Secret

__all__ = [
    "SHAPES",
    "AccountChange",
    "AccountList",
    "AccountRow",
    "AuditLine",
    "AuditReads",
    "Backup",
    "Capability",
    "CapabilityList",
    "Change",
    "ChangeEverywhere",
    "ChangeRow",
    "Check",
    "Checks",
    "Compared",
    "ConnectionChange",
    "ConnectionList",
    "ConnectionRow",
    "Described",
    "Diff",
    "EnvironmentList",
    "ErrorDetails",
    "ErrorReport",
    "EverywhereRow",
    "Expiring",
    "ExpiringRow",
    "Forgotten",
    "Found",
    "History",
    "Init",
    "Listing",
    "LossRow",
    "Migration",
    "Moved",
    "NotTold",
    "OutcomeRow",
    "PlaceRow",
    "PlanReport",
    "PlanStep",
    "PruneRow",
    "PurgedRow",
    "Rekeyed",
    "ReportLoss",
    "ReportMoment",
    "ReportStep",
    "ReportTotals",
    "ReportedRun",
    "ReportedSecret",
    "RetentionRow",
    "Rotated",
    "RunDocument",
    "RunList",
    "RunReport",
    "RunRow",
    "SecretRow",
    "SlotRow",
    "Slots",
    "Synced",
    "VaultAnchor",
    "Verification",
    "Version",
    "secret_row",
]

#: ISO 8601 in UTC, ending in Z.
Time = str


class SecretRow(TypedDict):
    """A secret as far as its store tells it; null where it does not, or where there is nothing."""

    name: str
    id: str | None
    description: str | None
    active: bool | None
    protected: bool | None
    expires_at: Time | None
    tool_name: str | None
    tool_arg: str | None
    default_for_tool: bool | None
    created_at: Time | None
    updated_at: Time | None
    version: int | None
    platform: bool
    verified: bool | None
    value: NotRequired[str]


class Listing(TypedDict):
    """``list``."""

    connection: str
    secrets: list[SecretRow]


class Found(TypedDict):
    """``get``."""

    connection: str
    secret: SecretRow


class Change(TypedDict):
    """``create``, ``put``, ``update``, ``lock``, ``unlock``, ``delete``, ``restore`` and others like them."""

    connection: str
    operation: Literal[
        "create", "put", "update", "lock", "unlock", "delete", "restore", "undelete", "share", "unshare"
    ]
    name: str | None
    id: str | None
    fields: list[str]
    dry_run: bool
    applied: bool
    secret: SecretRow | None


class PlaceRow(TypedDict):
    """What came of a change in one store."""

    target: str
    secret: str
    provider: str
    state: Literal["updated", "not applied", "unknown", "restored", "left out", "would update"]
    seconds: float
    guarantee: Literal["atomic", "checked", "best-effort"] | None
    verified: bool | None
    version: int | None
    why: str | None


class ChangeEverywhere(TypedDict):
    """``update`` with several ``--to``, and ``resume`` of it, which tells no fields."""

    name: str
    fields: list[str]
    complete: bool
    run: str | None
    results: list[PlaceRow]


class Rotated(TypedDict):
    """``rotate``, and ``resume`` of it; ``revoked`` counts old tokens."""

    name: str
    run: str
    results: list[PlaceRow]
    verified: list[str]
    revoked: int
    dry_run: bool


class Version(TypedDict):
    """A version of a secret."""

    version: int
    at: Time
    operation: str
    principal: str
    fields: list[str]
    name: str
    old_name: str | None
    deleted: bool
    purged: bool
    shared: bool


class History(TypedDict):
    """``history``; newest first."""

    connection: str
    name: str
    versions: list[Version]


class Capability(TypedDict):
    """What a provider can do."""

    provider: str
    title: str
    operations: list[str]
    create: list[str]
    update: list[str]
    clear: list[str]
    list_tells: list[str]
    get_tells: list[str]
    one_way: dict[str, str]
    why_not: dict[str, str]
    notes: dict[str, str]
    name: dict[str, Any]
    limits: dict[str, dict[str, Any]]
    compare_and_set: bool
    max_in_flight: int | None
    requests_per_minute: float | None


class CapabilityList(TypedDict):
    """``capabilities``."""

    providers: list[Capability]


class ConnectionRow(TypedDict):
    """A connection; a credential is given by its reference."""

    name: str
    provider: str
    place: str
    options: dict[str, Any]


class ConnectionList(TypedDict):
    """``connections list``."""

    connections: list[ConnectionRow]


class ConnectionChange(TypedDict):
    """``connections add``, ``connections remove``."""

    name: str
    file: str
    operation: Literal["add", "remove"]
    dry_run: bool


class Check(TypedDict):
    """One check."""

    check: str
    status: Literal["ok", "warning", "failed"]
    detail: str


class Checks(TypedDict):
    """``connections check``, ``doctor``."""

    checks: list[Check]


class Compared(TypedDict):
    """A secret in two stores; ``fields`` names those that both tell, and differently."""

    name: str
    status: Literal["only left", "only right", "equal", "different", "unknown"]
    value: Literal["equal", "different", "unknown"] | None
    fields: list[str]


class Diff(TypedDict):
    """``diff``."""

    left: str
    right: str
    secrets: list[Compared]


class ExpiringRow(TypedDict):
    """A secret that expires."""

    connection: str
    name: str
    expires_at: Time
    expired: bool


class NotTold(TypedDict):
    """A store that was not asked, and why."""

    connection: str
    why: str


class Expiring(TypedDict):
    """``expiring``; soonest first."""

    secrets: list[ExpiringRow]
    not_told: list[NotTold]


class LossRow(TypedDict):
    """Something that a migration does not carry, or does for good."""

    kind: str
    text: str


class PlanStep(TypedDict):
    """What is to be done about one secret."""

    source: str
    target: str
    action: Literal["create", "update", "skip", "refuse"]
    reason: str
    fields: list[str]
    losses: list[LossRow]


class PlanReport(TypedDict):
    """``plan``; ``file`` is that of ``--out``."""

    id: str
    made_at: Time
    fingerprint: str
    source: str
    target: str
    counts: dict[str, int]
    steps: list[PlanStep]
    warnings: list[str]
    source_requests: int
    target_requests: int
    seconds: float
    file: str | None


class OutcomeRow(TypedDict):
    """What came of one secret of a run."""

    source: str
    target: str
    action: Literal["create", "update", "skip", "refuse"]
    state: Literal["done", "skipped", "refused", "pending", "failed", "unknown", "undone"]
    reason: str
    verified: Literal["verified", "mismatch", "unverifiable"] | None
    guarantee: Literal["atomic", "checked", "best-effort"] | None
    owner: Literal["recorded", "inferred"] | None
    resent: bool
    restorable: bool
    source_deleted: bool
    error: str | None
    losses: list[LossRow]


class RunReport(TypedDict):
    """``resume``, ``undo``: a run as it stands."""

    id: str
    plan: str
    state: Literal["running", "interrupted", "incomplete", "done", "undone"]
    who: str
    started_at: str
    finished_at: str | None
    journal: str
    source: str
    target: str
    warnings: list[str]
    counts: dict[str, int]
    outcomes: list[OutcomeRow]
    pruned: list[OutcomeRow]


class UndoStep(TypedDict):
    """What an undo would do with a secret, by the journal alone."""

    secret: str
    what: Literal["delete", "restore", "look", "leave"]
    why: str


class UndoRehearsal(TypedDict):
    """``undo --dry-run``."""

    run: str
    dry_run: bool
    secrets: list[UndoStep]


class Migration(TypedDict):
    """``migrate``; no run where it was refused or only tried."""

    plan: PlanReport
    run: RunReport | None
    dry_run: bool


class ReportedRun(TypedDict):
    """The run that a report is about."""

    id: str
    plan: str
    state: Literal["running", "interrupted", "incomplete", "done", "undone"]
    phase: Literal["run", "undo"]
    who: str
    program: str
    started_at: str
    finished_at: str | None
    journal: str
    source: str
    target: str
    with_vault: bool
    delete_source: bool


class ReportTotals(TypedDict):
    """How many secrets there are of each; what there is none of may be left out."""

    states: dict[str, int]
    verified: dict[str, int]
    guarantees: dict[str, int]
    secrets: dict[str, int]


class ReportLoss(TypedDict):
    """A kind of loss."""

    kind: str
    meaning: str
    secrets: int


class ReportStep(TypedDict):
    """Something to do next; the command and the call may be empty."""

    text: str
    command: str
    call: str


class ReportMoment(TypedDict):
    """Something that happened to the run as a whole."""

    at: str
    what: str
    who: str


class ReportedSecret(OutcomeRow):
    """What came of one secret, and whether something is left to do about it."""

    open: bool


class RunDocument(TypedDict):
    """``report``; ``version`` counts changes that take something away."""

    format: Literal["secretbridge-report"]
    version: Literal[1]
    made_at: str
    run: ReportedRun
    totals: ReportTotals
    losses: list[ReportLoss]
    warnings: list[str]
    next: list[ReportStep]
    history: list[ReportMoment]
    secrets: list[ReportedSecret]


class RunRow(TypedDict):
    """A migration that was begun."""

    id: str
    state: Literal["running", "interrupted", "incomplete", "done", "undone", "damaged"]
    started_at: str
    who: str
    source: str
    target: str
    secrets: int
    journal: str
    with_vault: bool


class PruneRow(TypedDict):
    """What ``sync --prune`` would do with a secret that a run created and the source has no more."""

    secret: str
    what: Literal["delete", "look", "leave"]
    run: str


class Synced(TypedDict):
    """``sync``; with ``--dry-run`` a plan and what would be pruned, else a run, which tells what was."""

    plan: PlanReport | None
    run: RunReport | None
    dry_run: bool
    prunes: list[PruneRow]


class ChangeRow(TypedDict):
    """A change in several stores, or a rotation, that was begun; ``resume`` is the command to go on with."""

    id: str
    kind: Literal["update", "rotation"]
    state: Literal["running", "interrupted", "incomplete", "done", "forgotten", "damaged"]
    name: str
    targets: list[str]
    started_at: str
    vault: str | None
    named: bool
    revokes: bool
    journal: str
    resume: str | None


class Forgotten(TypedDict):
    """``forget``; ``vault`` is the one that kept the values."""

    run: str
    name: str
    vault: str
    dry_run: bool


class RunList(TypedDict):
    """``runs``; newest first."""

    runs: list[RunRow]
    changes: list[ChangeRow]


class Verification(TypedDict):
    """``vault verify``."""

    secrets: int
    values: int
    entries: int
    anchor: str


class Backup(TypedDict):
    """``vault backup``."""

    file: str
    secrets: int
    values: int
    entries: int


class SlotRow(TypedDict):
    """A way into a vault."""

    number: int
    kind: str
    label: str
    principal: str | None


class Slots(TypedDict):
    """``vault slots``, ``vault rotate-root``: the slots that are there, or the one it was about."""

    vault: str
    slots: list[SlotRow]


class Rekeyed(TypedDict):
    """``vault rekey``."""

    vault: str
    operation: Literal["rekey"]


class PurgedRow(TypedDict):
    """``vault purge``."""

    vault: str
    secrets: int
    versions: int
    pending: bool
    dry_run: bool


class RetentionRow(TypedDict):
    """``vault retention``; null is no limit."""

    vault: str
    versions: int | None
    days: int | None


class EnvironmentList(TypedDict):
    """``vault environments``."""

    vault: str
    environments: list[str]


class AccountRow(TypedDict):
    """Somebody beside the owner; no environments named means all."""

    name: str
    kind: Literal["user", "service"]
    roles: list[str]
    permissions: list[str]
    environments: list[str] | None
    expires_at: Time | None


class AccountList(TypedDict):
    """``vault accounts list``."""

    vault: str
    accounts: list[AccountRow]


class AccountChange(TypedDict):
    """``vault accounts add`` and all that change one; a key only with ``--reveal``."""

    vault: str
    account: str
    operation: Literal["add", "grant", "revoke", "remove", "renew-key", "change"]
    file: str | None
    key: NotRequired[str]


class Moved(TypedDict):
    """``vault move``."""

    location: str
    secrets: int
    values: int
    entries: int


class EverywhereRow(TypedDict):
    """What a vault holds under a name, over all environments."""

    id: str
    name: str
    shared: bool
    environments: list[str]
    protected: list[str]


class Described(TypedDict):
    """``vault describe``."""

    vault: str
    secret: EverywhereRow


class AuditReads(TypedDict):
    """``vault audit-reads``."""

    vault: str
    audit_reads: Literal["off", "batched", "durable"]


class VaultAnchor(TypedDict):
    """``vault anchor``."""

    anchor: str


class AuditLine(TypedDict):
    """``vault audit``: one object a line."""

    sequence: int
    at: Time
    operation: str
    secret_id: str | None
    name: str | None
    old_name: str | None
    environment: str | None
    version: int | None
    fields: list[str]
    outcome: str
    principal: str


class Init(TypedDict):
    """``init``."""

    vault: str
    vault_made: bool
    connection: str | None
    file: str | None


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


def secret_row(secret: Secret, *, value: str | None = None) -> SecretRow:
    """Give a secret as JSON; its value only where it is handed in."""
    row: dict[str, Any] = {
        name: getattr(secret, name) for name in SecretRow.__annotations__ if name != "value"
    }
    if value is not None:
        row["value"] = value
    return row  # type: ignore[return-value]  # the keys are those of a SecretRow
