"""What is written, kept, deleted and locked together; and what an account may not do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from migrate_place import Place, at, bridged, filled, linked, only, place

from secretbridge import Dotenv, Local, SecretBridge, Vault, migrate
from secretbridge.errors import InvalidRequest, JournalMismatch, MigrationIncomplete, RunBusy, VaultBusy
from secretbridge.testing import InsForgeStandIn, IoNetStandIn, Reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from postgres_server import Server
    from pydantic import SecretStr

    from secretbridge._channel import Channel
    from secretbridge._models import Write
    from secretbridge._provider import Provider
    from secretbridge.migrate import Event

__all__ = ["place"]


def whole(vault: Local) -> dict[str, tuple[str, str | None]]:
    """Value and description of each secret."""
    with SecretBridge(vault) as bridge:
        found = [bridge.get_secret(one.name) for one in bridge.list_secrets()]
    return {one.name: (one.reveal(), one.description) for one in found}


def test_a_window_is_one_transaction_of_a_vault_and_what_is_refused_in_it_concerns_itself_alone(
    place: Place,
) -> None:
    target = place.vault()
    plan = migrate.plan(place.env(A="1", B="2", C="3"), target)

    def theirs() -> None:
        filled(target, B="theirs")

    run = plan.apply(journal=place.folder / "runs", check=False, progress=at("intended", theirs))
    with SecretBridge(target) as bridge:
        moments = {one.name: one.created_at for one in bridge.list_secrets()}
    with Vault(place.folder / "vault.db", key_file=place.folder / "vault.key") as vault:
        refused = [(line.name, line.operation) for line in vault.audit() if line.outcome == "exists"]
    assert [
        [(one.source, one.state, one.guarantee) for one in run.outcomes],
        moments["A"] == moments["C"],
        whole(target),
        refused,
    ] == [
        [("A", "done", "atomic"), ("B", "failed", None), ("C", "done", "atomic")],
        True,
        {"A": ("1", None), "B": ("theirs", None), "C": ("3", None)},
        [("B", "create")],
    ]


def test_an_update_in_a_window_leaves_what_it_does_not_carry(place: Place) -> None:
    target, journal = place.vault(), place.folder / "runs"
    with SecretBridge(target) as bridge:
        for name in ("A", "B"):
            bridge.create_secret(name, value="old", description=f"about {name}")
    plan = migrate.plan(
        place.env(A="new", B="new"), target, on_conflict="update", vault=place.vault(name="u")
    )
    plan.apply(journal=journal)
    assert whole(target) == {"A": ("new", "about A"), "B": ("new", "about B")}


def test_a_vault_that_changes_between_plan_and_write_refuses_that_update_by_its_version(place: Place) -> None:
    target = filled(place.vault(), A="old", B="old")
    plan = migrate.plan(place.env(A="new", B="new"), target, on_conflict="update")

    def theirs() -> None:
        filled(target, B="theirs")

    run = plan.apply(journal=place.folder / "runs", check=False, progress=at("intended", theirs))
    assert [[one.state for one in run.outcomes], whole(target)["B"][0]] == [["done", "failed"], "theirs"]


def test_the_old_values_of_a_window_are_kept_together_and_go_when_all_is_undone(place: Place) -> None:
    target, undo, journal = place.vault(), place.vault(name="undo"), place.folder / "runs"
    filled(target, A="old-a", B="old-b")
    source = place.env(A="new", B="new", C="new")
    run = migrate.plan(source, target, on_conflict="update", vault=undo).apply(journal=journal)
    kept = sorted(whole(undo))
    migrate.undo(run.id, target, journal=journal, vault=undo)
    assert [kept, sorted(whole(undo)), whole(target)] == [
        [f"migration.{run.id}.0", "migration.key"],
        ["migration.key"],
        {"A": ("old-a", None), "B": ("old-b", None)},
    ]


def test_old_values_that_are_too_long_together_are_kept_apart(place: Place) -> None:
    target, undo, journal = place.vault(), place.vault(name="undo"), place.folder / "runs"
    long = {name: name * 150_000 for name in "ABC"}
    filled(target, **long)
    run = migrate.plan(place.env(A="1", B="2", C="3"), target, on_conflict="update", vault=undo).apply(
        journal=journal
    )
    kept = len(whole(undo)) - 1
    migrate.undo(run.id, target, journal=journal, vault=undo)
    assert [kept, {name: value for name, (value, _) in whole(target).items()} == long] == [3, True]


def test_a_second_try_keeps_its_old_values_beside_those_of_the_first(place: Place) -> None:
    insforge, undo, journal = InsForgeStandIn(), place.vault(name="undo"), place.folder / "runs"
    insforge.seed("A", "old-a")
    insforge.seed("B", "old-b")
    source = place.env(A="new-a", B="new-b")
    with bridged(insforge) as target:
        plan = migrate.plan(source, target, on_conflict="update", vault=undo)
        down = at("intended", lambda: insforge.script(Reply(503)))
        first = plan.apply(journal=journal, check=False, patience=0, progress=down)
        second = migrate.resume(first.id, source, target, journal=journal, vault=undo)
        kept = sorted(whole(undo))
        migrate.undo(first.id, target, journal=journal, vault=undo)
    values = [insforge.secret(name).value for name in ("A", "B")]
    assert [first.counts, second.state, kept, values] == [
        {"failed": 1, "done": 1},
        "done",
        [f"migration.{first.id}.0", f"migration.{first.id}.1", "migration.key"],
        ["old-a", "old-b"],
    ]


def test_plan_run_and_undo_tell_of_a_value_that_was_not_handed_out_before_it_was_replaced(
    place: Place,
) -> None:
    insforge, undo, journal = InsForgeStandIn(), place.vault(name="undo"), place.folder / "runs"
    insforge.seed("A", "old", active=False)
    with bridged(insforge) as target:
        plan = migrate.plan(place.env(A="new"), target, on_conflict="update", vault=undo)
        run = plan.apply(journal=journal)
        undone = migrate.undo(run.id, target, journal=journal, vault=undo, check=False)
        again = migrate.undo(run.id, target, journal=journal, vault=undo, check=False)
    told = "An undo could not restore the values of 1 updated secret:"
    assert [
        [warning for warning in plan.warnings if warning.startswith(told)] != [],
        [warning for warning in run.warnings if "undo() could not restore 1" in warning] != [],
        run.outcomes[0].restorable,
        insforge.secret("A").active,
        [(one.state, (one.outcomes[0].error or "").partition(" before")[0]) for one in (undone, again)],
    ] == [True, True, False, False, [("incomplete", "Its value was not handed out")] * 2]


class Counted(Dotenv):
    """Counts how often its file is replaced for many."""

    writes = 0

    async def write_many(self, channel: Channel, writes: Iterable[tuple[str, SecretStr | None]]) -> None:
        type(self).writes += 1
        await super().write_many(channel, writes)


def test_a_target_in_a_file_is_replaced_once_for_a_window_and_once_for_its_undo(place: Place) -> None:
    values = {f"KEY_{n}": f"v{n}" for n in range(100)}

    class Target(Counted):
        pass

    target, journal = Target(place.folder / "target.env"), place.folder / "runs"
    run = migrate.plan(place.json(**values), target).apply(journal=journal)
    there, writes = len(target.path.read_text().splitlines()), Target.writes
    undone = migrate.undo(run.id, target, journal=journal, accept=["unseen"])
    assert [there, writes, undone.state, target.path.read_text(), Target.writes] == [100, 1, "undone", "", 2]


def test_sources_in_a_file_are_deleted_in_one_replacement(place: Place) -> None:
    values = {f"KEY_{n}": f"v{n}" for n in range(70)}
    place.env(**values)

    class Source(Counted):
        pass

    source = Source(place.folder / "app.env")
    run = migrate.plan(source, place.vault()).apply(journal=place.folder / "runs", delete_source=True)
    left = source.path.read_text()
    assert [{one.source_deleted for one in run.outcomes}, left, Source.writes] == [{True}, "", 1]


def test_a_source_in_a_file_stays_where_it_or_the_target_has_changed_since(place: Place) -> None:
    source, target = place.env(A="1", B="2", C="3"), place.vault()

    def meddle() -> None:
        filled(target, B="theirs")
        source.path.write_text("A=1\nB=2\n")

    left = [3]

    def told(event: Event) -> None:
        left[0] -= event.kind == "verified"
        if left[0] == 0:
            left[0] = -1
            meddle()

    run = migrate.plan(source, target).apply(
        journal=place.folder / "runs", delete_source=True, check=False, progress=told
    )
    assert [
        run.state,
        [(one.source, one.source_deleted) for one in run.outcomes],
        source.path.read_text(),
    ] == [
        "incomplete",
        [("A", True), ("B", False), ("C", True)],
        "B=2\n",
    ]


def account(place: Place, *permissions: str) -> Local:
    """The vault as an account with these permissions alone."""
    with Vault(place.folder / "vault.db", key_file=place.folder / "vault.key") as vault:
        key = vault.principals.add_service_account("mover", permissions=permissions)
    return Local(place.folder / "vault.db", account_key=key)


@pytest.mark.parametrize(
    ("permissions", "refused"),
    [
        (("list_names", "read_values"), {"A": "create", "B": "update"}),
        (("list_names", "read_values", "create"), {"B": "update"}),
        (("list_names", "read_values", "update_any"), {"A": "create"}),
        (("list_names", "read_values", "create", "update_secret_from_service:B"), {}),
    ],
)
def test_a_plan_refuses_what_the_account_of_its_target_may_not_write(
    place: Place, permissions: tuple[str, ...], refused: dict[str, str]
) -> None:
    filled(Local(place.folder / "vault.db", key_file=place.folder / "vault.key"), B="old")
    plan = migrate.plan(place.env(A="1", B="2"), account(place, *permissions), on_conflict="update")
    told = {step.source: step.reason for step in plan.refused}
    assert [told.keys(), [word in told[name] for name, word in refused.items()]] == [
        refused.keys(),
        [True] * len(refused),
    ]


def test_a_plan_refuses_an_account_that_could_not_read_back_what_it_writes(place: Place) -> None:
    filled(Local(place.folder / "vault.db", key_file=place.folder / "vault.key"), B="old")
    step = only(migrate.plan(place.env(A="1"), account(place, "list_names", "create")))
    assert [step.action, "could not be read back" in step.reason] == ["refuse", True]


def test_a_vault_on_postgresql_is_one_store_by_whichever_url_it_is_reached(
    place: Place, postgres: Server
) -> None:
    key = place.folder / "pg.key"
    url = postgres.url()
    filled(Local(url, key_file=key), A="1")
    other = f"{url}&connect_timeout=7"
    with pytest.raises(InvalidRequest) as caught:
        migrate.plan(Local(url, key_file=key), Local(other, key_file=key))
    plan = migrate.plan(Local(url, key_file=key), Local(other, "production", key_file=key))
    assert [[one.problem for one in caught.value.violations], len(plan.steps)] == [
        ["and source are the same store"],
        1,
    ]


def test_a_run_on_postgresql_is_undone_over_another_url_of_the_same_vault(
    place: Place, postgres: Server
) -> None:
    key, url, journal = place.folder / "pg.key", postgres.url(), place.folder / "runs"
    run = migrate.plan(place.env(A="1"), Local(url, key_file=key)).apply(journal=journal)
    other = Local(f"{url}&application_name=x", key_file=key)
    undone = migrate.undo(run.id, other, journal=journal)
    assert [undone.state, whole(other)] == ["undone", {}]


def spelled(url: str) -> str:
    """Give the URL of the same vault with its parameters turned round, a password and one more parameter."""
    address, _, parameters = url.partition("?")
    turned = "&".join(reversed(parameters.split("&")))
    return f"{address.replace('postgresql:', 'postgres:')}?{turned}&password=another&application_name=x"


def test_a_run_on_postgresql_is_resumed_over_another_url_of_the_same_vault(
    place: Place, postgres: Server
) -> None:
    key, url, journal = place.folder / "pg.key", postgres.url(), place.folder / "runs"
    source = filled(Local(url, "production", key_file=key), A="1")
    target = place.env("target.env", B="2")
    second = linked(target.path)
    run = migrate.plan(source, target).apply(journal=journal, check=False)
    second.unlink()
    other = Local(spelled(url), "production", key_file=key)
    resumed = migrate.resume(run.id, other, target, journal=journal)
    assert [run.state, resumed.state, target.path.read_text()] == ["incomplete", "done", "B=2\nA=1\n"]


@pytest.mark.parametrize("end", ["source", "target"])
def test_a_run_on_postgresql_is_not_resumed_or_undone_with_another_vault(
    place: Place, postgres: Server, end: str
) -> None:
    key, url, journal = place.folder / "pg.key", postgres.url(), place.folder / "runs"
    ours: dict[str, Provider] = {"source": place.env(A="1"), "target": place.json(B="2")}
    ours[end] = filled(Local(url, key_file=key), C="3")
    run = migrate.plan(**ours).apply(journal=journal)  # type: ignore[arg-type]  # source and target
    theirs = filled(Local(postgres.url(), key_file=place.folder / "other.key"), C="3")
    refused: list[str] = []
    with pytest.raises(JournalMismatch) as caught:
        migrate.resume(run.id, **{**ours, end: theirs}, journal=journal)
    refused.append(str(caught.value))
    if end == "target":
        with pytest.raises(JournalMismatch) as caught:
            migrate.undo(run.id, theirs, journal=journal)
        refused.append(str(caught.value))
    assert [f"The {end} of this run is" in message and "another store" in message for message in refused] == [
        True
    ] * len(refused)


def test_a_sync_over_another_url_of_the_same_vault_knows_what_earlier_ones_did(
    place: Place, postgres: Server
) -> None:
    key, url, journal = place.folder / "pg.key", postgres.url(), place.folder / "runs"
    source = place.env(A="1", B="2")
    migrate.sync(source, Local(url, key_file=key), journal=journal)
    with SecretBridge(source) as bridge:
        bridge.delete_secret("B")
    other = Local(spelled(url), key_file=key)
    second = migrate.sync(source, other, journal=journal, prune=True)
    assert [[one.target for one in second.pruned], whole(other)] == [["B"], {"A": ("1", None)}]


@pytest.mark.parametrize(("concurrency", "least", "most"), [(None, 2, 4), (1, 1, 1), (50, 2, 4)])
def test_a_run_asks_both_ends_side_by_side_and_neither_more_than_it_allows(
    place: Place, concurrency: int | None, least: int, most: int
) -> None:
    ends = InsForgeStandIn(), InsForgeStandIn()
    for n in range(12):
        ends[0].seed(f"KEY_{n}", f"value-{n}")
    with bridged(ends[0]) as source, bridged(ends[1], base_url="https://b.test") as target:
        plan = migrate.plan(source, target, select="KEY_*")
        for end in ends:
            end.latency, end.most_in_flight = 0.01, 0
        plan.apply(journal=place.folder / "runs", concurrency=concurrency, delete_source=True)
    assert [least <= end.most_in_flight <= most for end in ends] == [True, True]


def test_runs_with_journals_in_different_folders_do_not_overlap_at_one_store(place: Place) -> None:
    target = place.vault()
    refused: list[str] = []

    def overlap() -> None:
        with pytest.raises(RunBusy) as caught:
            migrate.plan(place.env("other.env", B="2"), target).apply(journal=place.folder / "theirs")
        refused.append(caught.value.advice or "")

    run = migrate.plan(place.env(A="1"), target).apply(
        journal=place.folder / "ours", progress=at("started", overlap)
    )
    assert [run.state, len(refused), list(place.folder.glob("theirs/*.db"))] == ["done", 1, []]


def test_two_runs_into_io_net_wait_for_one_another_for_nobody_can_tell_its_accounts_apart(
    place: Place,
) -> None:
    ionet = IoNetStandIn()
    seen: list[type[Any]] = []
    with bridged(ionet) as first, bridged(ionet) as second:

        def overlap() -> None:
            with pytest.raises(RunBusy) as caught:
                migrate.plan(place.env("other.env", B="2222"), second).apply(journal=place.folder / "theirs")
            seen.append(caught.type)

        plan = migrate.plan(place.env(A="1111"), first)
        plan.apply(journal=place.folder / "ours", progress=at("started", overlap))
    assert [seen, [one.name for one in ionet.secrets]] == [[RunBusy], ["A"]]


def test_the_locks_of_stores_are_beside_the_journals_where_there_is_no_other_place(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.joinpath("file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    journal = place.folder / "runs"
    migrate.plan(place.env(A="1"), place.vault()).apply(journal=journal)
    assert len(list(journal.glob("store-*.lock"))) == 2


def test_a_run_in_which_nothing_can_be_kept_changes_nothing(place: Place) -> None:
    target, journal = filled(place.vault(), A="old"), place.folder / "runs"
    undo = place.vault(name="undo")
    plan = migrate.plan(place.env(A="new"), target, on_conflict="update", vault=undo)

    def protect() -> None:
        run_id = migrate.runs(journal=journal)[0].id
        with SecretBridge(undo) as bridge:
            bridge.create_secret(f"migration.{run_id}.0", value="in the way", protected=True)

    with pytest.raises(MigrationIncomplete) as caught:
        plan.apply(journal=journal, progress=at("started", protect))
    run = caught.value.run
    assert run is not None
    assert [run.counts, whole(target)["A"][0]] == [{"failed": 1}, "old"]


def test_where_a_window_does_not_fit_as_a_whole_its_secrets_are_tried_one_by_one(place: Place) -> None:
    vault, journal = place.vault(), place.folder / "runs"
    source = place.env(A="1", B="b" * 3_000_000, C="3")
    with SecretBridge(vault) as target:
        plan = migrate.plan(source, target)
        target.list_secrets()
        connection: Any = vault._vault(target._core.channel)._store._connection  # type: ignore[attr-defined]  # of a file
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages + 40}")
        full = plan.apply(journal=journal, check=False)
        connection.execute("PRAGMA max_page_count=100000")
        run = migrate.resume(full.id, source, target, journal=journal)
    assert [[(one.source, one.state) for one in full.outcomes], run.state] == [
        [("A", "done"), ("B", "failed"), ("C", "pending")],
        "done",
    ]


def test_a_vault_that_is_busy_is_waited_for(place: Place) -> None:
    left = [0.0]

    class Busy(Local):
        """Says once that others write."""

        async def change_many(self, channel: Channel, writes: Sequence[Write]) -> Any:
            if left:
                left.pop()
                raise VaultBusy("The vault is busy.", applied=False)
            return await super().change_many(channel, writes)

    busy = Busy(place.folder / "vault.db", "production", key_file=place.folder / "vault.key")
    plan = migrate.plan(place.env(A="1", B="2", C="3"), busy)
    run = plan.apply(journal=place.folder / "runs", patience=5)
    assert [run.counts, left] == [{"done": 3}, []]
