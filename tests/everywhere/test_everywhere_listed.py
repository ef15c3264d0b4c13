"""Journalled changes are listed, and keep each other from one secret of one store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from everywhere_stores import NAME, NEW, OLD, Stores, at_a_write, options, stores

from secretbridge import (
    ChangeInfo,
    InvalidRequest,
    JournalMismatch,
    RotationIncomplete,
    RunBusy,
    SecretBridge,
    changes,
    migrate,
    resume_everywhere,
    resume_rotation,
    rotate,
    update_everywhere,
)
from secretbridge.testing import Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["stores"]


def changed(stores: Stores, *names: str, **more: Any) -> None:
    given = {"value": NEW, **options(stores), "check": False, **more}
    update_everywhere(NAME, targets=[stores.bridge(one) for one in names], **given)


def listed(stores: Stores) -> list[ChangeInfo]:
    return changes(journal=stores.folder / "journal")


def test_they_are_listed_with_their_states_the_newest_first(stores: Stores) -> None:
    changed(stores, "dotenv", "json")
    stores.wix.script(Reply(401), Reply(401))
    changed(stores, "wix", "dotenv")
    incomplete, done = sorted(listed(stores), key=lambda one: one.state == "done")
    assert (incomplete.state, done.state, done.kind, done.name) == ("incomplete", "done", "update", NAME)
    assert (done.targets, done.named, done.vault) == (("the dotenv file", "the JSON file"), False, None)
    assert done.started_at.endswith("+00:00")


def test_a_rotation_is_listed_and_the_change_in_it_is_not(stores: Stores) -> None:
    rotate(NAME, obtain=lambda: NEW, targets=[stores.provider("dotenv")], **options(stores))
    (one,) = listed(stores)
    assert (one.kind, one.state, one.named, one.revokes) == ("rotation", "done", False, False)


def test_named_connections_are_told(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(stores.folder)
    text = '[connections.one]\nprovider = "dotenv"\npath = "x.env"\n'
    (stores.folder / "secretbridge.toml").write_text(text)
    (stores.folder / "secretbridge.toml").chmod(0o600)
    journal = stores.folder / "journal"
    update_everywhere(NAME, value=NEW, targets=["one"], vault="vault", journal=journal)
    rotate(NAME, obtain=lambda: "new-2", targets=[("one", NAME)], vault="vault", journal=journal)
    told = {one.kind: (one.targets, one.named, one.vault) for one in listed(stores)}
    assert told == {"update": (("one",), True, "vault"), "rotation": (("one",), True, "vault")}


def test_a_damaged_journal_and_one_of_something_else_are_told_apart(stores: Stores) -> None:
    changed(stores, "dotenv")
    (stores.folder / "journal" / "rotation-00.db").write_bytes(b"no database")
    states = {one.id: (one.kind, one.state) for one in listed(stores)}
    assert states["rotation-00"] == ("rotation", "damaged")


def meanwhile(stores: Stores, act: Callable[[], object]) -> list[BaseException]:
    """Do something while a change writes to Wix; give what it raised."""
    raised: list[BaseException] = []

    def attempt() -> None:
        try:
            act()
        except RunBusy as busy:
            raised.append(busy)

    at_a_write(stores.wix, before=attempt)
    changed(stores, "wix", "dotenv")
    return raised


@pytest.mark.parametrize("name", ["wix", "dotenv"])
def test_two_journalled_changes_of_one_secret_exclude_each_other(stores: Stores, name: str) -> None:
    raised = meanwhile(stores, lambda: changed(stores, name, value="other-value"))
    assert [(type(one), one.applied, one.transient) for one in raised] == [(RunBusy, False, True)]  # type: ignore[attr-defined]  # a RunBusy
    assert "Another run works on this secret already" in str(raised[0])
    assert stores.values(["wix", "dotenv"]) == {"wix": NEW, "dotenv": NEW}


def test_changes_of_other_secrets_and_stores_go_on_side_by_side(stores: Stores) -> None:
    raised = meanwhile(stores, lambda: changed(stores, "json", value="other-value"))
    assert (raised, stores.value("json")) == ([], "other-value")


def test_a_run_is_listed_as_running_while_it_runs(stores: Stores) -> None:
    seen: list[str] = []
    meanwhile(stores, lambda: seen.extend(one.state for one in listed(stores)))
    assert seen == ["running"]


def test_a_resumed_run_is_kept_from_the_secret_too(stores: Stores) -> None:
    stores.insforge.script(Reply(401), Reply(401))
    changed(stores, "dotenv", "insforge")
    (run,) = listed(stores)
    targets = [stores.bridge("dotenv"), stores.bridge("insforge")]

    def resume() -> None:
        resume_everywhere(run.id, targets=targets, check=False, **options(stores))

    assert [type(one) for one in meanwhile(stores, resume)] == [RunBusy]
    resume()
    assert stores.value("insforge") == NEW


def test_two_rotations_of_one_secret_exclude_each_other_before_a_token_is_obtained(stores: Stores) -> None:
    obtained: list[str] = []
    raised: list[RunBusy] = []

    def obtain() -> str:
        obtained.append("second")
        return "x"

    def second() -> None:
        try:
            rotate(NAME, obtain=obtain, targets=[stores.bridge("wix")], **options(stores))
        except RunBusy as busy:
            raised.append(busy)

    at_a_write(stores.wix, before=second)
    rotate(NAME, obtain=lambda: NEW, targets=[stores.bridge("wix")], **options(stores))
    assert (len(raised), obtained, stores.value("wix")) == (1, [], NEW)


def refusing(_old: object) -> None:
    raise ConnectionError


def test_a_rotation_goes_on_only_as_it_began(stores: Stores) -> None:
    at = {"targets": [stores.provider("dotenv")], **options(stores)}
    with pytest.raises(RotationIncomplete) as caught:
        rotate(NAME, obtain=lambda: NEW, revoke=refusing, **at)
    run = caught.value.run_id
    with pytest.raises(InvalidRequest) as without:
        resume_rotation(run, obtain=lambda: NEW, **at)
    revoked: list[str] = []
    made = resume_rotation(
        run, obtain=lambda: NEW, revoke=lambda old: revoked.append(old.get_secret_value()), **at
    )
    assert [one.field for one in without.value.violations] == ["revoke"]
    assert (made.revoked, revoked) == (1, [OLD])


def test_a_rotation_that_began_without_revoke_is_not_gone_on_with_by_one(stores: Stores) -> None:
    at = {"targets": [stores.provider("dotenv")], **options(stores)}
    with pytest.raises(RotationIncomplete) as caught:
        rotate(NAME, obtain=lambda: "", **at)
    with pytest.raises(InvalidRequest):
        resume_rotation(caught.value.run_id, obtain=lambda: NEW, revoke=refusing, **at)
    assert resume_rotation(caught.value.run_id, obtain=lambda: NEW, **at).revoked == 0


def test_what_breaks_a_rotation_off_says_how_to_go_on(stores: Stores) -> None:
    def interrupted() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        rotate(NAME, obtain=interrupted, targets=[stores.provider("dotenv")], **options(stores))
    (run,) = listed(stores)
    assert (caught.value.__notes__, run.state) == (
        [f"resume_rotation({run.id!r}, …) goes on with it."],
        "interrupted",
    )
    with SecretBridge(stores.provider("dotenv")) as bridge:
        assert bridge.get_secret(NAME).reveal() == OLD


def test_listing_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    told = [changes(), migrate.runs()]
    with pytest.raises(JournalMismatch, match="There is no run in"):
        migrate.report()
    assert (told, (tmp_path / "state").exists()) == ([[], []], False)


def test_a_named_folder_that_is_not_there_has_no_runs_and_is_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    assert (changes(journal=folder), migrate.runs(journal=folder), folder.exists()) == ([], [], False)


@pytest.mark.parametrize("listing", [changes, migrate.runs, migrate.report])
def test_a_file_is_no_folder_of_journals(tmp_path: Path, listing: Callable[..., object]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidRequest, match="the folder of journals: it is no folder"):
        listing(journal=tmp_path / "file")


def test_listing_leaves_the_files_of_a_run_as_they_are(stores: Stores) -> None:
    changed(stores, "dotenv")
    folder = stores.folder / "journal"
    (lock,) = folder.glob("change-*.lock")
    lock.write_text("a process's id\n", encoding="ascii")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    (info,) = listed(stores)
    assert (info.state, {path: path.read_bytes() for path in folder.iterdir()}) == ("done", before)


def test_without_its_lock_a_run_is_listed_and_the_lock_not_made(stores: Stores) -> None:
    changed(stores, "dotenv")
    folder = stores.folder / "journal"
    for lock in folder.glob("change-*.lock"):
        lock.unlink()
    assert ([one.state for one in listed(stores)], [*folder.glob("change-*.lock")]) == (["done"], [])
