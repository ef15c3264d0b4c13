"""Who may do what: every operation against every permission, accounts, and changes that hold at once."""

from __future__ import annotations

import pickle
import subprocess
import sys
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from secretbridge import AccountKey
from secretbridge._models import Write
from secretbridge._vault import KeyFile, _permissions
from secretbridge._vault._administered import AdministeredVault
from secretbridge._vault._openers import Opener
from secretbridge._vault._principals import with_grants
from secretbridge.errors import (
    AccountExpired,
    GrantMissing,
    InvalidRequest,
    NotEnvironmentSpecific,
    OutOfScope,
    PermissionDenied,
    SecretBridgeError,
    SecretExists,
    SecretLocked,
    SecretNotFound,
    VaultDamaged,
    VaultError,
    VaultLocked,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vault_place import Place, Text

    Wrap = Callable[[str], Text]

pytest_plugins = ("vault_place",)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test here holds for both stores, but for those that say otherwise."""
    return str(request.param)


ROOT = Path(__file__).parents[2]
ONE = "update_secret_from_service:KEY"
ALL = (*_permissions.PERMISSIONS, ONE)


def first_of(found: Sequence[object]) -> object:
    """The first of many, raised if it is a refusal."""
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


class Verb(NamedTuple):
    """What an operation is tried with, and the permissions of which any one is enough."""

    work: Callable[[AdministeredVault, Place], object]
    any_of: tuple[str, ...]


LOOKING = ("read_audit", "administer")
ADMIN = ("administer",)
TABLE = {
    "get": Verb(lambda vault, _: vault.get(name="KEY"), ("read_values",)),
    "list": Verb(lambda vault, _: vault.list(), ("list_names",)),
    "expiring": Verb(lambda vault, _: vault.expiring(timedelta(days=1)), ("list_names",)),
    "create": Verb(lambda vault, place: vault.create("NEW", {"value": place.text("v")}), ("create",)),
    "put": Verb(lambda vault, place: vault.put("NEW", {"value": place.text("v")}), ("create",)),
    "put over": Verb(lambda vault, place: vault.put("KEY", {"value": place.text("v")}), ("update_any", ONE)),
    "update": Verb(
        lambda vault, place: vault.update({"value": place.text("v")}, name="KEY"), ("update_any", ONE)
    ),
    "update another": Verb(lambda vault, _: vault.update({"active": True}, name="OTHER"), ("update_any",)),
    "rename": Verb(lambda vault, _: vault.update({"new_name": "RENAMED"}, name="KEY"), ("update_any",)),
    "unprotect": Verb(lambda vault, _: vault.update({"protected": False}, name="LOCKED"), ADMIN),
    "delete": Verb(lambda vault, _: vault.delete(name="KEY"), ("delete",)),
    "_create_many": Verb(
        lambda vault, place: vault._create_many([("NEW", {"value": place.text("v")})]), ("create",)
    ),
    "create_many": Verb(
        lambda vault, place: vault.create_many([("NEW", {"value": place.text("v")})]), ("create",)
    ),
    "write_many": Verb(lambda vault, place: vault.write_many([("NEW", place.text("v"))]), ("create",)),
    "write_many over": Verb(
        lambda vault, place: vault.write_many([("KEY", place.text("v"))]), ("update_any", ONE)
    ),
    "write_many away": Verb(lambda vault, _: vault.write_many([("KEY", None)]), ("delete",)),
    "change_many": Verb(
        lambda vault, place: first_of(vault.change_many([Write("NEW", {"value": place.text("v")}, True)])),
        ("create",),
    ),
    "change_many over": Verb(
        lambda vault, place: first_of(vault.change_many([Write("KEY", {"value": place.text("v")}, False)])),
        ("update_any", ONE),
    ),
    "identity": Verb(lambda vault, _: vault.identity(), ALL),
    "denied": Verb(lambda vault, _: vault.denied([("get", "KEY")]), ALL),
    "read_many": Verb(lambda vault, _: vault.read_many(["KEY"]), ("read_values",)),
    "environments_of": Verb(lambda vault, _: vault.environments_of([]), ("list_names",)),
    "retention": Verb(lambda vault, _: vault.retention(), ALL),
    "set_retention": Verb(lambda vault, _: vault.set_retention(3, None), ADMIN),
    "would_keep": Verb(lambda vault, _: vault.would_keep(3, None), ADMIN),
    "purge": Verb(lambda vault, _: vault.purge(None, older_versions=True, deleted=True), ADMIN),
    "purge one": Verb(lambda vault, _: vault.purge("GONE", older_versions=False, deleted=True), ADMIN),
    "move_to": Verb(
        lambda vault, place: vault.move_to(place.folder / "moved.db", None), ADMIN
    ),
    "history": Verb(lambda vault, _: vault.history(name="KEY"), LOOKING),
    "version": Verb(lambda vault, _: vault.version("KEY", 1), ADMIN),
    "restore": Verb(lambda vault, _: vault.restore("KEY", 1), ADMIN),
    "undelete": Verb(lambda vault, _: vault.undelete("GONE"), ADMIN),
    "share": Verb(lambda vault, _: vault.share("KEY", ()), ADMIN),
    "unshare": Verb(lambda vault, _: vault.unshare("SHARED"), ADMIN),
    "describe": Verb(lambda vault, _: vault.describe("KEY"), ADMIN),
    "audit": Verb(lambda vault, _: list(vault.audit(0)), LOOKING),
    "audit_head": Verb(lambda vault, _: vault.audit_head(), LOOKING),
    "verify_audit": Verb(lambda vault, _: vault.verify_audit(None), LOOKING),
    "verify": Verb(lambda vault, _: vault.verify(), LOOKING),
    "backup": Verb(
        lambda vault, place: vault.backup(place.folder / "copy.db", overwrite=True), ADMIN
    ),
    "slots": Verb(lambda vault, _: vault.slots(), ADMIN),
    "add_slot": Verb(
        lambda vault, place: vault.add_slot(KeyFile(place.key.parent / "second.key"), "second"), ADMIN
    ),
    "change_slot": Verb(
        lambda vault, place: vault.change_slot(1, KeyFile(place.key.parent / "vault.key")), ADMIN
    ),
    "remove_slot": Verb(lambda vault, _: vault.remove_slot("spare"), ADMIN),
    "rekey": Verb(lambda vault, _: vault.rekey(progress=None, batch=100), ADMIN),
    "rotate_root": Verb(
        lambda vault, place: vault.rotate_root([KeyFile(place.key.parent / "vault.key")], [2, 3, 4, 5]), ADMIN
    ),
    "environments": Verb(lambda vault, _: vault.environments(), ALL),
    "add_environment": Verb(lambda vault, _: vault.add_environment("qa"), ADMIN),
    "rename_environment": Verb(lambda vault, _: vault.rename_environment("test", "try"), ADMIN),
    "set_audit_reads": Verb(lambda vault, _: vault.set_audit_reads("off"), ADMIN),
    "principals": Verb(lambda vault, _: vault.principals(), LOOKING),
    "add_principal": Verb(lambda vault, _: account(vault, "another"), ADMIN),
    "change_principal": Verb(
        lambda vault, _: vault.change_principal("somebody", lambda _, principal: principal), ADMIN
    ),
    "renew_key": Verb(
        lambda vault, _: vault.renew_key("robot", AccountKey(AccountKey.generate())), ADMIN
    ),
    "remove_principal": Verb(lambda vault, _: vault.remove_principal("somebody"), ADMIN),
}  # fmt: skip
VARIANTS = {
    "put over",
    "update another",
    "rename",
    "unprotect",
    "write_many over",
    "write_many away",
    "change_many over",
    "purge one",
}


def account(vault: AdministeredVault, name: str, *permissions: str, **more: Any) -> AccountKey:
    """A new account and its key; a user unless it says otherwise."""
    key = AccountKey(AccountKey.generate())
    given = {"kind": "user", "roles": (), "environments": None, "expires_at": None} | more
    vault.add_principal(name, credential=key, permissions=permissions, **given)
    return key


def opened(
    place: Place, key: AccountKey | None = None, environment: str = "development"
) -> AdministeredVault:
    return AdministeredVault.open(
        place.location, environment=environment, credential=key or KeyFile(place.key)
    )


@pytest.fixture
def owner(place: Place, text: Wrap) -> Iterator[AdministeredVault]:
    with closing(opened(place)) as vault:
        vault._create_many([(name, {"value": text("v")}) for name in ("KEY", "OTHER", "SHARED", "GONE")])
        vault.create("LOCKED", {"value": text("v"), "protected": True})
        vault.delete(name="GONE")
        vault.share("SHARED", ())
        yield vault


def test_the_table_has_every_operation_of_the_vault() -> None:
    public = {name for name in dir(AdministeredVault) if not name.startswith("_")} - {"open", "close"}
    assert set(TABLE) - VARIANTS == public | {"_create_many"}


@pytest.mark.parametrize("kind", ["sqlite"])  # the decision is the same; a shorter form for both is below
@pytest.mark.parametrize("verb", TABLE)
def test_an_operation_takes_exactly_its_permissions(
    place: Place, owner: AdministeredVault, verb: str
) -> None:
    work, any_of = TABLE[verb]
    account(owner, "somebody")
    account(owner, "robot", kind="service")
    owner.add_slot(KeyFile(place.key.with_name("spare.key")), "spare")
    key = account(owner, "tester")
    refused: set[str] = set()
    done = 0
    with closing(opened(place, key)) as vault:
        # Those that are refused first: the one that is let through changes what the others would meet.
        for permission in sorted(ALL, key=lambda each: each in any_of):
            owner.change_principal("tester", lambda _, old, new=permission: with_only(old, new))  # type: ignore[misc] # bound now
            if permission not in any_of:
                with pytest.raises(GrantMissing) as caught:
                    work(vault, place)
                assert set(caught.value.permissions) & set(any_of)
                assert caught.value.provider == "local"
                refused.add(permission)
                continue
            with suppress(SecretBridgeError):  # let in, and met what an earlier one left
                work(vault, place)
                done += 1
    assert (refused, done > 0) == (set(ALL) - set(any_of), True)
    denied = [entry for entry in owner.audit(0) if entry.outcome == "grant missing"]
    assert [entry.principal for entry in denied] == ["tester"] * len(refused)
    assert owner.verify().secrets >= 4


def test_every_operation_is_refused_without_a_permission_and_let_in_with_one(
    place: Place, owner: AdministeredVault
) -> None:
    account(owner, "somebody")
    account(owner, "robot", kind="service")
    owner.add_slot(KeyFile(place.key.with_name("spare.key")), "spare")
    verbs = sorted(TABLE, key=lambda verb: verb == "rotate_root")  # after which nobody else goes on
    refused, let_in = [], []
    with closing(opened(place, account(owner, "tester"))) as vault:
        for verb in verbs:
            if TABLE[verb].any_of is ALL:  # for whoever opens the vault
                continue
            with pytest.raises(GrantMissing):
                TABLE[verb].work(vault, place)
            refused.append(verb)
        for verb in verbs:
            owner.put("KEY", {"value": place.text("v")})
            with suppress(SecretNotFound):
                owner.delete(name="NEW")
            one = TABLE[verb].any_of[-1]
            owner.change_principal("tester", lambda _, old: with_grants(old, revoke=old.permissions))
            owner.change_principal("tester", lambda _, old, one=one: with_grants(old, grant=[one]))  # type: ignore[misc] # bound now
            try:
                TABLE[verb].work(vault, place)
            except GrantMissing:
                continue
            except SecretBridgeError:  # let in, and met what an earlier one left
                pass
            let_in.append(verb)
    denied = [entry for entry in owner.audit(0) if entry.outcome == "grant missing"]
    assert (let_in, len(denied)) == (verbs, len(refused))
    assert set(verbs) - set(refused) == {"environments", "retention", "identity", "denied"}
    assert owner.verify().secrets >= 4


def with_only(principal: Any, permission: str) -> Any:
    return with_grants(principal, revoke=principal.permissions, grant=[permission])


@pytest.mark.parametrize("role", _permissions.ROLES)
def test_a_role_is_nothing_but_its_permissions(place: Place, owner: AdministeredVault, role: str) -> None:
    with closing(opened(place, account(owner, "a", roles=[role]))) as by_role:
        rights = by_role._renew().rights
    with closing(opened(place, account(owner, "b", *_permissions.ROLES[role]))) as by_permission:
        same = by_permission._renew().rights
    assert rights is not None
    assert same is not None
    assert rights.held == same.held == _permissions.ROLES[role]


def test_roles_and_grants_only_add(place: Place, owner: AdministeredVault) -> None:
    with closing(opened(place, account(owner, "a", "delete", roles=["reader", "auditor"]))) as vault:
        rights = vault._renew().rights
    assert rights is not None
    assert rights.held == {"list_names", "read_values", "read_audit", "delete"}


SERVICE = [
    # shared, locked, granted, what is told in which order
    (False, False, True, []),
    (False, False, False, [GrantMissing]),
    (False, True, True, [SecretLocked]),
    (False, True, False, [SecretLocked, GrantMissing]),
    (True, False, True, [NotEnvironmentSpecific]),
    (True, False, False, [NotEnvironmentSpecific, GrantMissing]),
    (True, True, True, [NotEnvironmentSpecific, SecretLocked]),
    (True, True, False, [NotEnvironmentSpecific, SecretLocked, GrantMissing]),
]


@pytest.mark.parametrize(("shared", "locked", "granted", "told"), SERVICE)
@pytest.mark.parametrize(("kind", "verb"), [("sqlite", "update"), ("sqlite", "put"), ("postgres", "update")])
def test_a_service_account_is_told_all_that_its_update_lacks(
    place: Place,
    owner: AdministeredVault,
    text: Wrap,
    verb: str,
    *,
    shared: bool,
    locked: bool,
    granted: bool,
    told: list[type[VaultError]],
) -> None:
    if shared:
        owner.share("KEY", ())
    if locked:
        owner.update({"protected": True}, name="KEY")
    key = account(owner, "deploy", *([ONE] if granted else []), kind="service")
    with closing(opened(place, key)) as vault:

        def attempt() -> object:
            if verb == "put":
                return vault.put("KEY", {"value": text("new")})
            return vault.update({"value": text("new")}, name="KEY")

        if not told:
            attempt()
            assert owner.get(name="KEY").value == "new"
            return
        with pytest.raises(told[0]) as caught:
            attempt()
        error: Any = caught.value
        assert [type(each) for each in (error, *error.also)] == told
        assert all(part.message in error.message and part.advice in error.advice for part in error.also)
        assert len({each.advice for each in (error, *error.also)}) == len(told)
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
        assert (str(copy), [str(each) for each in copy.also]) == (str(error), [str(e) for e in error.also])
    assert owner.get(name="KEY").value == "v"


def test_a_service_account_with_update_any_changes_no_shared_secret_either(
    place: Place, owner: AdministeredVault, text: Wrap
) -> None:
    key = account(owner, "deploy", roles=["writer"], kind="service")
    with closing(opened(place, key)) as vault:
        assert vault.update({"value": text("w")}, name="KEY").version == 2
        with pytest.raises(NotEnvironmentSpecific):
            vault.update({"value": text("w")}, name="SHARED")
        with pytest.raises(NotEnvironmentSpecific):
            vault.delete(name="SHARED")
        with pytest.raises(SecretLocked):
            vault.delete(name="LOCKED")
        vault.delete(name="KEY")


def test_the_one_change_of_a_locked_secret_needs_to_administer(
    place: Place, owner: AdministeredVault
) -> None:
    key = account(owner, "deploy", *(set(ALL) - {"administer"}), kind="service")
    with closing(opened(place, key)) as vault:
        with pytest.raises(GrantMissing) as caught:
            vault.update({"protected": False}, name="LOCKED")
        assert caught.value.permissions == ("administer",)
        assert vault.get(name="LOCKED").value == "v"
        owner.change_principal("deploy", lambda _, old: with_grants(old, grant=["administer"]))
        vault.update({"protected": False}, name="LOCKED")
        assert not vault.get(name="LOCKED").protected


def test_nobody_changes_a_locked_secret(owner: AdministeredVault, text: Wrap) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: owner.update({"value": text("w")}, name="LOCKED"),
        lambda: owner.update({"new_name": "FREE"}, name="LOCKED"),
        lambda: owner.put("LOCKED", {"value": text("w")}),
        lambda: owner.delete(name="LOCKED"),
        lambda: owner.restore("LOCKED", 1),
        lambda: owner.share("LOCKED", ()),
    ]
    for attempt in attempts:
        with pytest.raises(SecretLocked):
            attempt()
    assert owner.get(name="LOCKED").version == 1


def test_an_account_is_for_its_environments(place: Place, owner: AdministeredVault, text: Wrap) -> None:
    key = account(owner, "tester", *(set(ALL) - {"administer"}), environments=["test", "staging"])
    with pytest.raises(OutOfScope, match="'tester'") as caught:
        opened(place, key)
    assert isinstance(caught.value, PermissionDenied)
    with closing(opened(place, key, "test")) as vault:
        vault.create("OWN", {"value": text("v")})
        assert vault.get(name="SHARED").value == "v"
        attempts: list[Callable[[], object]] = [
            lambda: vault.update({"value": text("w")}, name="SHARED"),
            lambda: vault.put("SHARED", {"value": text("w")}),
            lambda: vault.delete(name="SHARED"),
        ]
        for attempt in attempts:
            with pytest.raises(OutOfScope, match="is not for all"):
                attempt()
        owner.change_principal("tester", lambda policy, old: scoped(old, policy.environments["staging"]))
        with pytest.raises(OutOfScope, match="not for this environment"):
            vault.get(name="OWN")
    outcomes = [entry.outcome for entry in owner.audit(0) if entry.principal == "tester"]
    assert outcomes == ["out of scope", "done", *["out of scope"] * 4]


def scoped(principal: Any, number: int) -> Any:
    from dataclasses import replace

    return replace(principal, environments=(number,))


def test_who_administers_some_environments_switches_no_secret_of_all(
    place: Place, owner: AdministeredVault
) -> None:
    key = account(owner, "half", "administer", environments=["development"])
    with closing(opened(place, key)) as vault:
        attempts: list[Callable[[], object]] = [
            lambda: vault.share("KEY", ()),
            lambda: vault.unshare("SHARED"),
            lambda: vault.restore("SHARED", 1),
        ]
        for attempt in attempts:
            with pytest.raises(OutOfScope):
                attempt()


def test_an_account_expires_while_it_has_the_vault_open(
    place: Place, owner: AdministeredVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    key = account(owner, "brief", "read_values", expires_at=until)
    with closing(opened(place, key)) as vault:
        assert vault.get(name="KEY").value == "v"
        later = int((until.timestamp() + 1) * 1_000_000_000)
        monkeypatch.setattr("secretbridge._vault._decisions.time.time_ns", lambda: later)
        with pytest.raises(AccountExpired, match="'brief' of the vault expired at") as caught:
            vault.get(name="KEY")
        assert "set_expiry" in caught.value.advice
        with pytest.raises(AccountExpired):
            opened(place, key)


def test_an_account_that_may_not_know_is_not_told_what_is_there(
    place: Place, owner: AdministeredVault, text: Wrap
) -> None:
    key = account(owner, "blind", "update_secret_from_service:ONLY")
    with closing(opened(place, key)) as vault:
        attempts: list[Callable[[], object]] = [
            lambda: vault.get(name="NONE"),
            lambda: vault.get(id="11" * 16),
            lambda: vault.update({"value": text("w")}, name="NONE"),
            lambda: vault.update({"value": text("w")}, id="11" * 16),
            lambda: vault.put("NONE", {"value": text("w")}),
            lambda: vault.delete(name="NONE"),
        ]
        for attempt in attempts:
            with pytest.raises(GrantMissing):
                attempt()
        with pytest.raises(SecretNotFound):
            vault.update({"value": text("w")}, name="ONLY")  # this one it may know


def test_a_creator_replaces_nothing(place: Place, owner: AdministeredVault, text: Wrap) -> None:
    with closing(opened(place, account(owner, "maker", "create"))) as vault:
        with pytest.raises(SecretExists):
            vault.create("KEY", {"value": text("w")})
        with pytest.raises(GrantMissing):
            vault.put("KEY", {"value": text("w")})
        vault.put("MADE", {"value": text("w")})
    assert owner.get(name="MADE").value == "w"


CHILD = """
import sys
from pathlib import Path
from secretbridge import AccountKey
from secretbridge._location import PostgresUrl
from secretbridge._vault._administered import AdministeredVault
from secretbridge.errors import SecretBridgeError
class Text:
    def get_secret_value(self): return "child"
place = PostgresUrl(sys.argv[1]) if "://" in sys.argv[1] else Path(sys.argv[1])
vault = AdministeredVault.open(place, environment="development",
    credential=AccountKey(sys.stdin.readline().strip()))
print("open", flush=True)
for line in sys.stdin:
    try:
        if line.strip() == "get":
            vault.get(name="KEY")
        else:
            vault.update({"value": Text()}, name="KEY")
        print("done", flush=True)
    except SecretBridgeError as refusal:
        print(type(refusal).__name__, flush=True)
"""


def test_a_change_of_the_policy_holds_at_once_in_another_process(
    place: Place, owner: AdministeredVault
) -> None:
    key = account(owner, "deploy", kind="service")
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, place.address],
        env={"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:

        def ask(line: str) -> str:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(f"{line}\n")
            child.stdin.flush()
            return child.stdout.readline().strip()

        told = [ask(key.secret.get_secret_value()), ask("get"), ask("update")]  # type: ignore[union-attr] # a SecretStr
        owner.change_principal("deploy", lambda _, old: with_grants(old, grant=["read_values", ONE]))
        told += [ask("get"), ask("update")]
        owner.change_principal("deploy", lambda _, old: with_grants(old, revoke=["read_values"]))
        told += [ask("get"), ask("update")]
        owner.change_principal("deploy", lambda _, old: with_grants(old, revoke=[ONE]))
        told += [ask("update")]
        owner.remove_principal("deploy")
        told += [ask("update"), ask("get")]
        assert child.stdin is not None
        child.stdin.close()
    assert told == [
        "open", "GrantMissing", "GrantMissing", "done", "done", "GrantMissing", "done", "GrantMissing",
        "VaultLocked", "VaultLocked",
    ]  # fmt: skip


def test_a_removed_account_is_remembered_by_name_and_its_name_can_be_given_again(
    place: Place, owner: AdministeredVault
) -> None:
    first = account(owner, "deploy", "read_values")
    with closing(opened(place, first)) as vault:
        owner.remove_principal("deploy")
        with pytest.raises(VaultLocked, match="was removed"):
            vault.list()
    with pytest.raises(VaultLocked, match="does not open"):
        opened(place, first)
    account(owner, "deploy", "list_names")
    assert [info.permissions for info in owner.principals()] == [("list_names",)]
    refused = [entry for entry in owner.audit(0) if entry.outcome == "account removed"]
    assert [(entry.operation, entry.principal) for entry in refused] == [("list", "deploy")]


def test_a_renewed_key_replaces_the_old_one(place: Place, owner: AdministeredVault) -> None:
    old, new = account(owner, "robot", "list_names", kind="service"), AccountKey(AccountKey.generate())
    owner.renew_key("robot", new)
    with pytest.raises(VaultLocked):
        opened(place, old)
    opened(place, new).close()
    account(owner, "human")
    for name, problem in (("human", "is a user"), ("nobody", "no user or service account")):
        with pytest.raises(InvalidRequest, match=problem):
            owner.renew_key(name, AccountKey(AccountKey.generate()))


def test_the_owners_last_slot_cannot_be_removed_whoever_else_administers(
    place: Place, owner: AdministeredVault
) -> None:
    key = account(owner, "boss", roles=["administrator"])
    with closing(opened(place, key)) as boss:
        with pytest.raises(VaultError, match="the last one of the vault's owner"):
            boss.remove_slot(1)
        boss.remove_principal("boss")
    assert owner.principals() == []


def test_who_may_not_add_makes_no_key_file(place: Place, owner: AdministeredVault) -> None:
    made = place.key.with_name("made.key")
    with closing(opened(place, account(owner, "nobody"))) as vault, pytest.raises(GrantMissing):
        vault.add_slot(KeyFile(made), "mine")
    assert not made.exists()


def test_an_older_policy_put_back_shows_as_damage(place: Place, owner: AdministeredVault) -> None:
    key = account(owner, "deploy", "read_values")
    before = place.sql("SELECT policy_epoch, epoch, sealed FROM policy")[0]
    with closing(opened(place, key)) as vault:
        owner.change_principal("deploy", lambda _, old: with_grants(old, revoke=["read_values"]))
        with pytest.raises(GrantMissing):
            vault.get(name="KEY")
        place.sql("UPDATE policy SET policy_epoch = ?, epoch = ?, sealed = ?", *before)
        with pytest.raises(VaultDamaged):
            vault.get(name="KEY")
        place.sql("DELETE FROM policy")
        with pytest.raises(VaultDamaged):
            vault.get(name="KEY")


@pytest.mark.parametrize("kind", ["sqlite"])  # files are read; PostgreSQL's are in tests/postgres
def test_the_file_shows_neither_names_of_accounts_nor_what_they_may(
    place: Place, owner: AdministeredVault
) -> None:
    key = account(owner, "canary-name", "update_secret_from_service:CANARY_SECRET")
    contents = b"".join(path.read_bytes() for path in place.folder.rglob("*") if path.is_file())
    assert b"canary-name" not in contents
    assert b"CANARY_SECRET" not in contents
    assert key.secret.get_secret_value().encode() not in contents  # type: ignore[union-attr, operator] # a SecretStr
    assert Opener(5, key.key()).kind == 5


def test_a_write_under_an_older_policy_put_back_is_refused_as_damage(
    place: Place, owner: AdministeredVault, text: Wrap
) -> None:
    key = account(owner, "deploy", ONE)
    before = place.sql("SELECT policy_epoch, epoch, sealed FROM policy")[0]
    with closing(opened(place, key)) as vault:
        owner.change_principal("deploy", lambda _, old: with_grants(old, revoke=[ONE]))
        place.sql("UPDATE policy SET policy_epoch = ?, epoch = ?, sealed = ?", *before)
        with pytest.raises(VaultDamaged):
            vault.update({"value": text("w")}, name="KEY")
        place.sql("DELETE FROM policy")
        with pytest.raises(VaultDamaged):
            vault.update({"value": text("w")}, name="KEY")


def test_a_grant_that_is_taken_away_while_a_listing_is_under_way_is_gone(
    place: Place, owner: AdministeredVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = account(owner, "deploy", "list_names")
    with closing(opened(place, key)) as vault:
        whole = vault._store.page
        changes = [{"grant": ["create"]}, {"revoke": ["list_names"]}]

        def after_a_change(*asked: Any) -> Any:
            if len(changes) > left:
                change = changes.pop(0)
                owner.change_principal("deploy", lambda _, old: with_grants(old, **change))
            return whole(*asked)

        monkeypatch.setattr(vault._store, "page", after_a_change)
        left = 1
        assert len(vault.list()[0]) == 4
        left = 0
        with pytest.raises(GrantMissing):
            vault.list()


def test_an_account_is_not_told_of_environments_that_it_is_not_for(
    place: Place, owner: AdministeredVault, text: Wrap
) -> None:
    both = account(owner, "both", "list_names", environments=["development", "test"])
    with closing(opened(place, None, "test")) as test, closing(opened(place, None, "staging")) as staging:
        test.create("KEY", {"value": text("t")})
        staging.create("KEY", {"value": text("s")})
    id_ = owner.get(name="KEY").id
    with closing(opened(place, both)) as vault:
        told = vault.environments_of([id_])
    assert (sorted(owner.environments_of([id_])[id_]), told) == (["staging", "test"], {id_: ["test"]})
