"""A journalled change, or a rotation, that is given up keeps no value and is not gone on with."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from everywhere_stores import NAME, NEW, OLD, Stores, at_a_write, kept, options, stores

from secretbridge import (
    InvalidRequest,
    JournalMismatch,
    Local,
    RotationIncomplete,
    RunBusy,
    SecretBridge,
    VaultFull,
    changes,
    forget_change,
    forget_change_async,
    migrate,
    resume_everywhere,
    resume_rotation,
    rotate,
    update_everywhere,
)
from secretbridge.migrate._place import Locks
from secretbridge.testing import Reply

if TYPE_CHECKING:
    from secretbridge._channel import Channel
    from secretbridge._models import Target

__all__ = ["stores"]


def states(stores: Stores) -> dict[str, str]:
    return {one.id: one.state for one in changes(journal=stores.folder / "journal")}


def incomplete(stores: Stores) -> str:
    before = set(states(stores))
    stores.wix.script(Reply(401), Reply(401))
    targets = [stores.bridge("wix"), stores.bridge("dotenv")]
    update_everywhere(NAME, targets=targets, value=NEW, check=False, **options(stores))
    (run,) = set(states(stores)) - before
    return run


def test_its_values_are_deleted_and_those_of_another_stay(stores: Stores) -> None:
    first = incomplete(stores)
    both = kept(stores)
    second = incomplete(stores)
    forget_change(first, **options(stores))
    assert states(stores) == {first: "forgotten", second: "incomplete"}
    assert (len(both), [name for name in kept(stores) if first in name]) == (3, [])
    assert len(kept(stores)) == 3
    with pytest.raises(JournalMismatch, match="was given up") as caught:
        resume_everywhere(first, targets=[stores.bridge("wix")], **options(stores))
    assert caught.value.applied is False


def rotated(stores: Stores) -> str:
    def fails(_: object) -> None:
        raise OSError

    with pytest.raises(RotationIncomplete) as caught:
        rotate(NAME, obtain=lambda: NEW, revoke=fails, targets=[stores.provider("dotenv")], **options(stores))
    return caught.value.run_id


def test_a_rotation_is_given_up_with_the_change_that_is_a_part_of_it(stores: Stores) -> None:
    run = rotated(stores)
    tokens = kept(stores)
    forget_change(run, **options(stores))
    assert (set(tokens), kept(stores), states(stores)) == (
        {f"{run}.old", f"{run}.obtained"},
        [],
        {run: "forgotten"},
    )
    with pytest.raises(JournalMismatch, match="was given up"):
        resume_rotation(run, obtain=lambda: NEW, revoke=print, **options(stores))
    assert stores.values(["dotenv"]) == {"dotenv": NEW}


def test_a_change_in_a_rotation_that_was_not_made_everywhere_goes_with_it(stores: Stores) -> None:
    def obtained() -> str:
        (stores.folder / "x.env").unlink()
        return NEW

    with pytest.raises(RotationIncomplete) as caught:
        rotate(
            NAME,
            obtain=obtained,
            targets=[stores.provider("dotenv"), stores.provider("json")],
            **options(stores),
        )
    tokens = kept(stores)
    forget_change(caught.value.run_id, **options(stores))
    assert (len(tokens), kept(stores)) == (4, [])


def test_a_rotation_whose_change_was_never_begun_is_given_up_too(stores: Stores) -> None:
    refused: list[bool | None] = []

    def meanwhile() -> None:
        try:
            rotate(NAME, obtain=lambda: "obtained", targets=[stores.provider("dotenv")], **options(stores))
        except RunBusy as busy:  # the change holds the secret
            refused.append(busy.applied)

    at_a_write(stores.wix, before=meanwhile)
    targets = [stores.bridge("wix"), stores.bridge("dotenv")]
    update_everywhere(NAME, targets=targets, value=NEW, **options(stores))
    (run,) = (run for run in states(stores) if run.startswith("rotation-"))
    tokens = kept(stores)
    forget_change(run, **options(stores))
    assert (refused, tokens, kept(stores)) == ([False], [f"{run}.obtained"], [])
    assert (states(stores)[run], stores.value("dotenv")) == ("forgotten", NEW)


class Failing(Local):
    """A vault that has no room when it is to delete the second value."""

    deleted = 0

    async def delete(self, channel: Channel, target: Target) -> None:
        self.deleted += 1
        if self.deleted == 2:
            raise VaultFull("No room is left.")
        await super().delete(channel, target)


def test_broken_off_it_is_called_again_and_nothing_else_goes_on(stores: Stores) -> None:
    run = incomplete(stores)
    failing = Failing(stores.folder / "keep.db", key_file=stores.folder / "keep.key")
    with pytest.raises(VaultFull):
        forget_change(run, vault=failing, journal=stores.folder / "journal")
    left = kept(stores)
    assert (states(stores), len(left)) == ({run: "forgotten"}, 2)
    forget_change(run, **options(stores))
    assert kept(stores) == []


def test_the_same_awaited(stores: Stores) -> None:
    run = incomplete(stores)
    asyncio.run(forget_change_async(run, **options(stores)))
    assert (kept(stores), states(stores)) == ([], {run: "forgotten"})


def test_one_that_somebody_works_on_is_left(stores: Stores) -> None:
    run = incomplete(stores)
    locks = Locks(stores.folder / "journal")
    locks.take(run, writes=())
    with pytest.raises(RunBusy):
        forget_change(run, **options(stores))
    locks.release()
    assert (len(kept(stores)), states(stores)) == (3, {run: "incomplete"})


def test_a_migration_in_the_same_folder_is_left(stores: Stores) -> None:
    with SecretBridge(stores.provider("dotenv")) as bridge:
        bridge.create_secret("MORE", value=OLD)
    plan = migrate.plan(stores.provider("dotenv"), stores.provider("json"), vault=options(stores)["vault"])
    made = plan.apply(journal=stores.folder / "journal")
    with pytest.raises(JournalMismatch, match="is not one of a change in many places or of a rotation"):
        forget_change(made.id, **options(stores))


def test_it_needs_its_vault(stores: Stores) -> None:
    run = incomplete(stores)
    with pytest.raises(InvalidRequest, match="vault: is missing"):
        forget_change(run, vault=None, journal=stores.folder / "journal")  # type: ignore[arg-type]  # what is refused
    with pytest.raises(InvalidRequest, match="vault: is no target"):
        forget_change(run, vault=3, journal=stores.folder / "journal")  # type: ignore[arg-type]  # likewise
    assert states(stores) == {run: "incomplete"}
