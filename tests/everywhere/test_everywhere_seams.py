"""A run that is taken up again: with the stores of its beginning, after its end, beside migrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from secretbridge import (
    Dotenv,
    JsonFile,
    Local,
    SecretBridge,
    migrate,
    resume_everywhere,
    resume_rotation,
    rotate,
    update_everywhere,
)
from secretbridge.errors import JournalMismatch

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def stores(tmp_path: Path) -> dict[str, Any]:
    """Give two files and a vault in a folder of their own; both files hold KEY."""
    folder = tmp_path / "stores"
    folder.mkdir(mode=0o700)
    made: dict[str, Any] = {
        "one": Dotenv(folder / "one.env"),
        "other": Dotenv(folder / "other.env"),
        "vault": Local(folder / "undo.db", key_file=folder / "undo.key"),
    }
    for name in ("one", "other"):
        with SecretBridge(made[name]) as bridge:
            bridge.create_secret("KEY", value="old")
    return made


def held(provider: Any) -> str:
    with SecretBridge(provider) as bridge:
        return bridge.get_secret("KEY").reveal()


def broken_off(stores: dict[str, Any], folder: Path) -> str:
    """Begin a change whose one target fails, and give the run."""
    with SecretBridge(stores["one"]) as bridge:
        bridge.delete_secret("KEY")
    options: dict[str, Any] = {"vault": stores["vault"], "journal": folder, "check": False}
    result = update_everywhere("KEY", value="new", targets=[stores["one"]], **options)
    assert result.run_id is not None
    return result.run_id


def test_a_change_is_not_gone_on_with_in_another_store_of_the_same_kind(
    stores: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "runs"
    run_id = broken_off(stores, folder)
    with pytest.raises(JournalMismatch, match="not among the targets"):
        resume_everywhere(run_id, vault=stores["vault"], targets=[stores["other"]], journal=folder)
    assert held(stores["other"]) == "old"


def test_a_rotation_that_has_ended_gives_its_result_again(stores: dict[str, Any], tmp_path: Path) -> None:
    revoked: list[str] = []
    steps: dict[str, Any] = {
        "obtain": lambda: "brand-new-token",
        "revoke": lambda old: revoked.append(old.get_secret_value()),
    }
    options: dict[str, Any] = {"vault": stores["vault"], "targets": [stores["one"], stores["other"]]}
    options["journal"] = tmp_path / "runs"
    first = rotate("KEY", **steps, **options)
    again = resume_rotation(first.run_id, **steps, **options)
    assert [again.revoked, again.verified, revoked] == [first.revoked, first.verified, ["old"]]


def test_journals_of_changes_and_of_migrations_may_lie_in_one_folder(
    stores: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "runs"
    run_id = broken_off(stores, folder)
    target = JsonFile(tmp_path / "stores" / "copy.json")
    run = migrate.sync(stores["other"], target, journal=folder)
    with pytest.raises(JournalMismatch, match="not one of a migration"):
        migrate.undo(run_id, target, vault=stores["vault"], journal=folder)
    assert [info.id for info in migrate.runs(journal=folder)] == [run.id]


def test_a_migration_is_no_change_to_go_on_with(stores: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    target = JsonFile(tmp_path / "stores" / "copy.json")
    run = migrate.sync(stores["other"], target, vault=stores["vault"], journal=folder)
    with pytest.raises(JournalMismatch, match="is not one of a change in many places"):
        resume_everywhere(run.id, vault=stores["vault"], targets=[stores["other"]], journal=folder)
    undone = migrate.undo(run.id, target, vault=stores["vault"], journal=folder)  # it was let go of
    assert undone.state == "undone"
