"""What is dropped is gone, the trail says what it was, and nothing else may be missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from secretbridge._admin_async import AsyncVault
from secretbridge._vault import _purge, _sealed
from secretbridge.errors import (
    InvalidRequest,
    SecretExists,
    SecretNotFound,
    ValueNotTold,
    VaultDamaged,
    VaultFull,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from admin_place import Home

    from secretbridge import SecretBridge
    from secretbridge._admin import Vault

pytest_plugins = ("admin_place",)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test here holds for both stores, but for those that say otherwise."""
    return str(request.param)


ROOT = Path(__file__).parents[2]
DAY = 86_400_000_000
READING = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN")
connection.execute("SELECT count(*) FROM log").fetchone()
print("reading", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
"""


class Clock:
    """A clock that stands where it is put."""

    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(1_700_000_000_000_000)
    monkeypatch.setattr(_sealed, "now", clock)
    return clock


@pytest.fixture
def pending(kind: str) -> bool:
    """Whether what was purged may be there still: on PostgreSQL until the server drops its dead rows."""
    return kind == "postgres"


def written(bridge: SecretBridge, name: str, *values: str) -> None:
    for value in values:
        bridge.put_secret(name, value=value)


def kept(admin: Vault, name: str) -> list[int]:
    """The versions whose content is there, newest first."""
    return [step.version for step in admin.history(name) if not (step.purged or step.deleted)]


def test_a_vault_keeps_everything_until_it_is_told_otherwise(
    bridge: SecretBridge, admin: Vault, *, pending: bool
) -> None:
    written(bridge, "A", "1", "2", "3")
    assert admin.purge() == (0, 0, pending)
    assert (admin.retention(), kept(admin, "A")) == ((None, None), [3, 2, 1])


def test_retention_by_count_drops_the_oldest_at_each_write(bridge: SecretBridge, admin: Vault) -> None:
    written(bridge, "A", "1", "2", "3", "4")
    written(bridge, "B", "1")
    admin.set_retention(versions=2, days=None)
    assert kept(admin, "A") == [4, 3, 2, 1]
    written(bridge, "A", "5")
    assert kept(admin, "A") == [5, 4]
    written(bridge, "A", "6")
    assert kept(admin, "A") == [6, 5]
    lines = [(entry.operation, entry.name, entry.version) for entry in admin.audit(after=6)]
    assert lines == [
        ("retention set", "versions=2, days=None", None),
        ("put", "A", 5),
        ("purge", "A", 3),
        ("put", "A", 6),
        ("purge", "A", 4),
    ]
    assert (admin.retention(), admin.verify()) == ((2, None), (2, 2, 11))


def test_what_a_dropped_version_held_is_said_to_be_dropped(bridge: SecretBridge, admin: Vault) -> None:
    written(bridge, "A", "1", "2", "3")
    admin.purge("A", older_versions=True)
    for ask in (admin.version, admin.restore):
        with pytest.raises(ValueNotTold, match="version 2 of the secret 'A' held was dropped"):
            ask("A", 2)
    assert admin.version("A", 3).reveal() == "3"


def test_retention_by_age_counts_from_when_a_version_was_replaced(
    clock: Clock, bridge: SecretBridge, admin: Vault, *, pending: bool
) -> None:
    admin.set_retention(versions=None, days=10)
    for value in ("1", "2", "3"):
        written(bridge, "A", value)
        clock.at += 6 * DAY
    assert kept(admin, "A") == [3, 2, 1]  # version 1 was replaced six days before the last write
    written(bridge, "A", "4")
    assert kept(admin, "A") == [4, 3, 2]
    clock.at += 100 * DAY
    assert admin.purge() == (0, 2, pending)
    assert kept(admin, "A") == [4]
    admin.verify()


def test_a_clock_set_back_drops_nothing_early_and_orders_nothing_twice(
    clock: Clock, bridge: SecretBridge, admin: Vault
) -> None:
    admin.set_retention(versions=None, days=1)
    written(bridge, "A", "1", "2")
    first = bridge.get_secret("A")
    clock.at -= 400 * DAY
    written(bridge, "A", "3")
    written(bridge, "B", "1")
    clock.at = -1
    written(bridge, "C", "1")
    assert kept(admin, "A") == [3, 2, 1]
    second = bridge.get_secret("A")
    assert (second.version, second.id) == (3, first.id)
    assert second.updated_at < first.updated_at  # type: ignore[operator] # both are told: what the clock said
    # Ids begin with the time: the listing's order follows the clock, and every id is its own.
    assert [secret.name for secret in bridge.list_secrets()] == ["C", "B", "A"]
    assert len({secret.id for secret in bridge.list_secrets()}) == 3
    assert [entry.sequence for entry in admin.audit()] == list(range(1, 8))
    admin.verify()


def test_a_change_of_retention_holds_at_once_in_vaults_that_are_open(
    home: Home, bridge: SecretBridge, admin: Vault
) -> None:
    written(bridge, "A", "1", "2")
    with home.vault() as other:
        assert other.retention() == (None, None)
        admin.set_retention(versions=1, days=30)
        assert other.retention() == (1, 30)
    written(bridge, "A", "3")
    assert kept(admin, "A") == [3]
    admin.set_retention(versions=None, days=None)
    written(bridge, "A", "4")
    assert kept(admin, "A") == [4, 3]


def test_what_undelete_brings_back_outlives_retention_and_a_purge_of_older_versions(
    clock: Clock, bridge: SecretBridge, admin: Vault
) -> None:
    admin.set_retention(versions=1, days=1)
    written(bridge, "A", "1", "2")
    bridge.delete_secret("A")
    clock.at += 100 * DAY
    admin.purge()
    admin.purge(older_versions=True)
    assert admin.undelete("A").version == 4
    assert bridge.get_secret("A").reveal() == "2"
    admin.verify()


def test_a_purged_secret_is_gone_and_its_name_never_shows_a_version_twice(
    bridge: SecretBridge, admin: Vault, *, pending: bool
) -> None:
    written(bridge, "A", "1", "2")
    written(bridge, "B", "1")
    bridge.delete_secret("A")
    gone = admin.history("A")[0]
    assert admin.purge(deleted=True) == (1, 2, pending)
    for ask in (admin.history, admin.undelete):
        with pytest.raises(SecretNotFound):
            ask("A")
    with pytest.raises(SecretNotFound):
        bridge.get_secret("A")
    assert admin.verify() == (1, 1, 7)  # the refused undelete() is a line of its own
    assert bridge.create_secret("A", value="new").version == gone.version + 1
    assert (admin.verify().secrets, kept(admin, "A")) == (2, [gone.version + 1])


def test_purging_one_secret_leaves_the_others_alone(
    bridge: SecretBridge, admin: Vault, *, pending: bool
) -> None:
    for name in "AB":
        written(bridge, name, "1", "2")
    bridge.delete_secret("B")
    assert admin.purge("A", older_versions=True) == (0, 1, pending)
    assert (kept(admin, "A"), kept(admin, "B")) == ([2], [2, 1])
    with pytest.raises(SecretExists, match="not deleted"):
        admin.purge("A", deleted=True)
    with pytest.raises(SecretNotFound):
        admin.purge("NONE", deleted=True)
    assert admin.purge("A", older_versions=True, deleted=True) == (0, 0, pending)
    assert admin.purge("B", deleted=True) == (1, 2, pending)
    admin.verify()


def test_a_purge_stays_in_its_environment(
    home: Home, bridge: SecretBridge, admin: Vault, *, pending: bool
) -> None:
    with home.bridge("production") as other:
        for each in (bridge, other):
            written(each, "A", "1", "2")
            each.delete_secret("A")
    assert admin.purge(deleted=True) == (1, 2, pending)
    with home.vault("production") as production:
        assert production.undelete("A").version == 4
        production.verify()
    assert bridge.create_secret("A", value="again").version == 4


def test_a_renamed_value_is_purged_along_both_its_names(
    home: Home, bridge: SecretBridge, admin: Vault, *, pending: bool
) -> None:
    written(bridge, "OLD", "1", "2")
    with home.bridge("production") as other:
        written(other, "OLD", "p")
    bridge.update_secret("OLD", new_name="NEW")  # moves: production holds OLD too
    bridge.update_secret("NEW", value="3")
    written(bridge, "OLD", "again", "and again")
    assert (kept(admin, "OLD"), kept(admin, "NEW")) == ([5, 4, 2, 1], [4, 3])
    admin.set_retention(versions=3, days=None)
    assert admin.purge() == (0, 1, pending)
    assert kept(admin, "OLD") == [5, 4, 2]
    assert admin.purge(older_versions=True) == (0, 3, pending)
    assert (kept(admin, "OLD"), kept(admin, "NEW")) == ([5], [4])
    admin.verify()


def test_a_vault_of_many_is_purged_in_batches(bridge: SecretBridge, admin: Vault, *, pending: bool) -> None:
    many = 2 * _purge.BATCH + 3
    assert admin.create_many({f"KEY{number}": "v" for number in range(many)}) == many
    for number in range(0, many, 2):
        bridge.delete_secret(f"KEY{number}")
    assert admin.purge(deleted=True) == (many // 2 + 1, many // 2 + 1, pending)
    assert len(bridge.list_secrets()) == admin.verify().values == many // 2


def test_a_purge_that_fails_on_its_way_says_that_a_part_may_be_done(
    bridge: SecretBridge, admin: Vault, monkeypatch: pytest.MonkeyPatch, *, pending: bool
) -> None:
    many = _purge.BATCH + 1
    admin.create_many({f"KEY{number}": "v" for number in range(many)})
    for number in range(many):
        bridge.delete_secret(f"KEY{number}")
    real = _purge.Removal.next_batch
    failing: list[bool | None] = []

    def next_batch(self: _purge.Removal, change: object, after: _purge.Place) -> _purge.Place | None:
        if after.secret or not failing:
            raise VaultFull("No room.")
        return real(self, change, after)  # type: ignore[arg-type] # handed through

    monkeypatch.setattr(_purge.Removal, "next_batch", next_batch)
    for _ in range(2):
        with pytest.raises(VaultFull) as caught:
            admin.purge(deleted=True)
        failing.append(caught.value.applied)
    assert failing == [False, None]
    monkeypatch.setattr(_purge.Removal, "next_batch", real)
    assert admin.purge(deleted=True) == (1, 1, pending)
    admin.verify()


def contents(home: Home) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(home.file.parent.iterdir()))


def sealed(home: Home) -> dict[int, bytes]:
    """What each line of the log keeps, as bytes in the file."""
    return {
        int(str(sequence)): bytes(blob)  # type: ignore[call-overload] # a blob column
        for sequence, blob in home.sql("SELECT sequence, history FROM log WHERE history IS NOT NULL")
    }


def parts(blob: bytes) -> list[bytes]:
    """Pieces of a sealed blob that are found wherever a page holds a part of it."""
    return [blob[at : at + 24] for at in range(0, len(blob) - 23, 24)]


@pytest.mark.parametrize("kind", ["sqlite"])  # files are read
def test_the_bytes_of_what_was_purged_are_in_none_of_the_vaults_files(home: Home) -> None:
    large = "x" * 9000  # more than a page
    with home.bridge() as bridge, home.vault() as admin:
        for number in range(30):
            written(bridge, f"KEY{number}", "old" * number, large, "new")
        for number in range(0, 30, 3):
            bridge.delete_secret(f"KEY{number}")
    before = sealed(home)
    values = [bytes(row[0]) for row in home.sql("SELECT sealed FROM value")]  # type: ignore[call-overload] # a blob
    whole = contents(home)
    assert all(any(part in whole for part in parts(blob)) for blob in [*before.values(), *values])
    with home.bridge() as bridge, home.vault() as admin:
        written(bridge, "OTHER", "keeps the file open")
        done = admin.purge(older_versions=True, deleted=True)
        assert done == (10, 10 * 3 + 20 * 2, False)
        after = contents(home)
        assert home.file.with_name("vault.db-wal").stat().st_size == 0
    still = sealed(home)
    dropped = {sequence: blob for sequence, blob in before.items() if sequence not in still}
    assert len(dropped) == done.versions
    assert [s for s, blob in dropped.items() if any(part in after for part in parts(blob))] == []
    gone = set(values) - {bytes(row[0]) for row in home.sql("SELECT sealed FROM value")}  # type: ignore[call-overload] # a blob
    assert len(gone) == 10
    assert [blob for blob in gone if any(part in after for part in parts(blob))] == []


@pytest.mark.parametrize("kind", ["sqlite"])  # its journal
def test_a_purge_is_pending_while_another_process_reads_from_the_journal(home: Home) -> None:
    with home.bridge() as bridge, home.vault() as admin:
        written(bridge, "A", "1", "2")
        with subprocess.Popen(
            [sys.executable, "-c", READING, home.file],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": str(ROOT)},
        ) as reader:
            assert reader.stdin is not None
            assert reader.stdout is not None
            assert reader.stdout.readline() == b"reading\n"
            assert admin.purge(older_versions=True) == (0, 1, True)
            written(bridge, "B", "1")  # nobody is kept from writing
            reader.stdin.write(b"\n")
            reader.stdin.flush()
            assert reader.wait() == 0
        assert admin.purge() == (0, 0, False)
        assert home.file.with_name("vault.db-wal").stat().st_size == 0


def filled(home: Home) -> None:
    with home.bridge() as bridge, home.vault() as admin:
        written(bridge, "A", "1", "2", "3", "4")
        written(bridge, "B", "1", "2")
        admin.purge("A", older_versions=True)


def expect_damage(ask: Callable[[], object]) -> None:
    with pytest.raises(VaultDamaged):
        ask()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log SET history = NULL WHERE sequence = 5",  # A's newest: no purge reached it
        "UPDATE log SET history = NULL WHERE sequence = 6",  # B's, which was never purged
        "UPDATE log SET history = (SELECT history FROM log WHERE sequence = 5) WHERE sequence = 8",
        "DELETE FROM log WHERE sequence = 8",
        "DELETE FROM value WHERE sequence = 7",
        "UPDATE value SET sequence = 6, version = 1 WHERE sequence = 7",
    ],
)
def test_a_content_missing_without_a_purge_is_found(home: Home, statement: str) -> None:
    filled(home)
    with home.vault() as admin:
        admin.verify()
    home.sql(statement)
    expect_damage(lambda: home.vault().verify())


def test_a_content_that_only_tampering_took_away_is_not_called_purged(home: Home) -> None:
    filled(home)
    home.sql("UPDATE log SET history = NULL WHERE sequence = 6")
    with home.vault() as admin:
        expect_damage(lambda: admin.version("B", 1))
        with pytest.raises(ValueNotTold):
            admin.version("A", 1)


def test_a_purged_content_put_back_from_an_older_copy_is_found(home: Home) -> None:
    with home.bridge() as bridge:
        written(bridge, "A", "1", "2")
    (blob,) = home.sql("SELECT history FROM log WHERE sequence = 2")[0]
    with home.vault() as admin:
        admin.purge(older_versions=True)
        admin.verify()
    home.sql("UPDATE log SET history = ? WHERE sequence = 2", blob)
    expect_damage(lambda: home.vault().verify())


def test_the_same_version_from_a_copy_that_went_another_way_is_found(home: Home) -> None:
    with home.bridge() as bridge:
        written(bridge, "A", "1")
    put_back = home.copied()
    with home.bridge() as bridge:
        written(bridge, "A", "theirs")
    (blob,) = home.sql("SELECT history FROM log WHERE sequence = 3")[0]
    put_back()
    with home.bridge() as bridge:
        written(bridge, "A", "ours")
    home.sql("UPDATE log SET history = ? WHERE sequence = 3", blob)
    with home.vault() as admin:
        expect_damage(admin.verify)
        expect_damage(lambda: admin.version("A", 2))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log SET previous = 999 WHERE sequence = 3",
        "UPDATE log SET secret = zeroblob(16) WHERE sequence = 3",
        "UPDATE log SET operation_id = zeroblob(1) WHERE sequence = 3",
        "UPDATE log SET previous = 5 WHERE sequence = 6",  # the line of the same secret in production
        "UPDATE value SET sequence = 999 WHERE sequence = 6",
        "UPDATE value SET sequence = 7 WHERE sequence = 6",  # the line of another secret
    ],
)
def test_a_purge_led_astray_drops_nothing(home: Home, statement: str) -> None:
    with home.bridge() as bridge, home.bridge("production") as other:
        written(bridge, "A", "1", "2", "3")
        written(other, "A", "p")
        written(bridge, "A", "4")
        written(bridge, "B", "1", "2")
    before = home.sql("SELECT count(history) FROM log")
    home.sql(statement)
    expect_damage(lambda: home.vault().purge("A", older_versions=True))
    assert home.sql("SELECT count(history) FROM log") == before


@pytest.mark.parametrize("kind", ["sqlite"])  # refused before any store
@pytest.mark.parametrize(
    ("versions", "days"), [(0, None), (None, 0), (True, None), ("3", None), (None, 36_501), (-1, -1)]
)
def test_a_malformed_retention_is_refused(admin: Vault, versions: int, days: int) -> None:
    with pytest.raises(InvalidRequest, match=r"is not a whole number from 1|at most 36500"):
        admin.set_retention(versions=versions, days=days)


def test_a_malformed_name_to_purge_is_refused(admin: Vault) -> None:
    with pytest.raises(InvalidRequest):
        admin.purge("")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_async_face_forgets_as_well(home: Home, backend: str, *, pending: bool) -> None:
    async def work() -> None:
        async with AsyncVault(home.location, key_file=home.key) as vault:
            assert await vault.create_many({"A": "1", "B": "2"}) == 2
            await vault.set_retention(versions=3, days=7)
            assert await vault.retention() == (3, 7)
            assert await vault.purge("A", older_versions=True) == (0, 0, pending)
            assert await vault.purge(deleted=True) == (0, 0, pending)
            with pytest.raises(InvalidRequest):
                await vault.set_retention(versions=0, days=None)

    anyio.run(work, backend=backend)
