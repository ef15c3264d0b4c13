"""A journalled change in many places, killed at any step, is gone on with, and nothing is sent blindly."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from everywhere_stores import FACES, NAME, NEW, OLD, Stores, at_a_write, everywhere, kinds, stores

from secretbridge import (
    EverywhereResult,
    InvalidRequest,
    Local,
    PartialUpdate,
    SecretBridge,
    _everywhere_run,
    errors,
    resume_everywhere,
    resume_everywhere_async,
)
from secretbridge.testing import Lost, Reply

if TYPE_CHECKING:
    from pathlib import Path

    from secretbridge import Secret
    from secretbridge._channel import Channel
    from secretbridge._models import Fields
    from secretbridge.testing import StandIn
    from secretbridge.testing._standin import Fault

__all__ = ["stores"]

_CHILD = """
import os, signal, sys, threading
from secretbridge import Dotenv, IoNet, Local, Wix, update_everywhere
from secretbridge.migrate._journal import Journal

wix, site, key, ionet, ionet_key, folder, when, step = sys.argv[1:]
append, count, lock = Journal.append, 0, threading.Lock()

def counted(self, kind, data):
    global count
    with lock:
        count += 1
        mine = count
    if when == "before" and mine == int(step):
        os.kill(os.getpid(), signal.SIGKILL)
    append(self, kind, data)
    if when == "after" and mine == int(step):
        os.kill(os.getpid(), signal.SIGKILL)

Journal.append = counted
print(os.getpid(), flush=True)
update_everywhere(
    "STRIPE_KEY",
    targets=[Wix(api_key=key, site_id=site, base_url=wix), IoNet(api_key=ionet_key, base_url=ionet),
             Dotenv(folder + "/x.env")],
    value="sk-new-value",
    vault=Local(folder + "/keep.db", key_file=folder + "/keep.key"),
    journal=folder + "/journal",
)
"""


def failing(service: StandIn, fault: Fault) -> None:
    """Answer the next write by a fault."""
    at_a_write(service, before=lambda: service.script(fault))


TARGETS = ("wix", "ionet", "dotenv")


@pytest.fixture(autouse=True)
def a_short_settle_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_everywhere_run, "SETTLE", 0.05)


def keep(stores: Stores) -> Local:
    return Local(stores.folder / "keep.db", key_file=stores.folder / "keep.key")


def kept(stores: Stores) -> list[str]:
    with SecretBridge(keep(stores)) as bridge:
        return [one.name for one in bridge.list_secrets() if one.name.startswith("change.")]


def journalled(stores: Stores, face: str = "blocking", **arguments: Any) -> EverywhereResult:
    options = {"value": NEW, "vault": keep(stores), "journal": stores.folder / "journal", **arguments}
    return everywhere(face, stores, TARGETS, **options)


def resumed(stores: Stores, run_id: str, face: str = "blocking", **options: Any) -> EverywhereResult:
    given = {"vault": keep(stores), "journal": stores.folder / "journal", **options}

    async def work() -> EverywhereResult:
        bridges = [stores.bridge(one, face) for one in TARGETS]
        try:
            return await resume_everywhere_async(run_id, targets=bridges, **given)
        finally:
            for bridge in bridges:
                await bridge.close()

    if face != "blocking":
        return anyio.run(work, backend=face)
    bridges = [stores.bridge(one) for one in TARGETS]
    try:
        return resume_everywhere(run_id, targets=bridges, **given)
    finally:
        for bridge in bridges:
            bridge.close()


def run_of(stores: Stores) -> str:
    (path,) = (stores.folder / "journal").glob("*.db")
    return path.stem


def killed(stores: Stores, when: str, step: int) -> int:
    with stores.wix.serve() as wix, stores.ionet.serve() as ionet:
        stores.urls.update(wix=wix, ionet=ionet)
        arguments = [wix, stores.wix.site_id, stores.wix.api_key, ionet, stores.ionet.api_key]
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, *arguments, str(stores.folder), when, str(step)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stderr == ""
    return done.returncode


@pytest.mark.parametrize("step", range(2, 7))
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_killed_at_any_step_of_its_journal_is_completed(stores: Stores, when: str, step: int) -> None:
    assert killed(stores, when, step) == -9
    result = resumed(stores, run_of(stores))
    assert kinds(result) == ["Updated"] * 3
    assert stores.values(TARGETS) == dict.fromkeys(TARGETS, NEW)
    assert kept(stores) == []


def test_a_run_killed_before_its_change_was_kept_has_sent_nothing_and_says_so(stores: Stores) -> None:
    assert killed(stores, "before", 1) == -9
    assert stores.values(TARGETS) == dict.fromkeys(TARGETS, OLD)
    with pytest.raises(errors.JournalMismatch, match="Nothing was sent in this run"):
        resumed(stores, run_of(stores))


@pytest.mark.parametrize("target", ["wix", "ionet"])
def test_a_run_killed_when_the_server_has_made_the_change_finds_it_made(stores: Stores, target: str) -> None:
    service = getattr(stores, target)
    pids: list[int] = []
    at_a_write(service, after=lambda: list(map(os.kill, pids, [9])))
    with stores.wix.serve() as wix, stores.ionet.serve() as ionet:
        stores.urls.update(wix=wix, ionet=ionet)
        arguments = [wix, stores.wix.site_id, stores.wix.api_key, ionet, stores.ionet.api_key]
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, *arguments, str(stores.folder), "never", "0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        pids.append(int(child.stdout.readline()))
        child.communicate()
    assert child.returncode == -9
    service.clear_requests()
    result = resumed(stores, run_of(stores))
    told = {one.provider: one.settled for one in result.updated}
    writes = [call for call in service.calls if call.startswith("PATCH")]
    assert (told[target], len(writes)) == (("seen", 0) if target == "wix" else ("resent", 1))
    assert stores.values(TARGETS) == dict.fromkeys(TARGETS, NEW)


@FACES
def test_a_complete_run_keeps_no_value_and_gives_its_results_again(stores: Stores, face: str) -> None:
    result = journalled(stores, face)
    assert result.run_id == run_of(stores)
    assert kept(stores) == []
    again = resumed(stores, run_of(stores), face)
    assert [(one.target, one.secret, one.guarantee) for one in again.updated] == [
        (one.target, one.secret, one.guarantee) for one in result.updated
    ]


@FACES
def test_what_failed_is_made_when_the_run_is_gone_on_with(stores: Stores, face: str) -> None:
    failing(stores.wix, Reply(401))
    failing(stores.ionet, Lost())
    with pytest.raises(PartialUpdate) as caught:
        journalled(stores, face)
    result = caught.value.results
    assert "goes on with it." in caught.value.advice
    assert kinds(result) == ["NotApplied", "Unknown", "Updated"]
    assert len(kept(stores)) == 4
    again = resumed(stores, str(result.run_id), face)
    assert [(type(one).__name__, getattr(one, "settled", None)) for one in again] == [
        ("Updated", ""),
        ("Updated", "resent"),
        ("Updated", ""),
    ]
    assert stores.values(TARGETS) == dict.fromkeys(TARGETS, NEW)
    assert kept(stores) == []


def test_what_somebody_else_has_changed_since_is_left_alone(stores: Stores) -> None:
    failing(stores.wix, Reply(401))
    result = journalled(stores, check=False)
    with stores.bridge("wix") as bridge:
        bridge.update_secret(NAME, value="somebody-elses")
    again = resumed(stores, str(result.run_id), check=False)
    (conflict,) = again.not_applied
    assert type(conflict.error).__name__ == "Conflict"
    assert stores.value("wix") == "somebody-elses"


def test_a_target_that_cannot_be_looked_at_stays_unknown(stores: Stores) -> None:
    failing(stores.wix, Reply(503))
    result = journalled(stores, check=False)
    stores.wix.script(Reply(503))
    again = resumed(stores, str(result.run_id), check=False)
    assert kinds(again) == ["Unknown", "Updated", "Updated"]


def test_a_journalled_run_that_restores_does_so_when_it_is_gone_on_with(stores: Stores) -> None:
    failing(stores.wix, Reply(401))
    result = journalled(stores, check=False, on_failure="restore")
    assert kinds(result) == ["NotApplied", "Updated", "Restored"]
    again = resumed(stores, str(result.run_id))
    assert kinds(again) == ["Updated"] * 3
    assert stores.values(TARGETS) == dict.fromkeys(TARGETS, NEW)


def test_a_rename_that_was_made_is_not_made_twice(stores: Stores, tmp_path: Path) -> None:
    vault = stores.provider("vault")
    failing(stores.wix, Lost())
    given: dict[str, Any] = {"vault": keep(stores), "journal": stores.folder / "journal"}
    with stores.bridge("wix") as wix:
        result = everywhere(
            "blocking", stores, [], wix, vault, new_name="OTHER", value=NEW, check=False, **given
        )
        assert kinds(result) == ["Unknown", "Updated"]
        again = resume_everywhere(str(result.run_id), targets=[vault, wix], **given)
        assert [one.settled for one in again.updated] == ["seen", ""]
        assert wix.get_secret("OTHER").reveal() == NEW


def test_a_rename_that_was_not_made_is_made(stores: Stores) -> None:
    vault = stores.provider("vault")
    failing(stores.wix, Reply(503))
    given: dict[str, Any] = {"vault": keep(stores), "journal": stores.folder / "journal"}
    with stores.bridge("wix") as wix:
        result = everywhere("blocking", stores, [], wix, vault, new_name="OTHER", check=False, **given)
        assert kinds(result) == ["Unknown", "Updated"]
        again = resume_everywhere(str(result.run_id), targets=[vault, wix], **given)
        assert [one.settled for one in again.updated] == ["", ""]
        assert [one.name for one in wix.list_secrets()] == ["OTHER"]


def test_a_value_that_may_have_arrived_with_a_new_name_is_sent_again_under_it(stores: Stores) -> None:
    vault = stores.provider("vault")
    failing(stores.ionet, Lost())
    given: dict[str, Any] = {"vault": keep(stores), "journal": stores.folder / "journal"}
    with stores.bridge("ionet") as ionet:
        result = everywhere(
            "blocking", stores, [], ionet, vault, new_name="OTHER", value=NEW, check=False, **given
        )
        assert kinds(result) == ["Unknown", "Updated"]
        again = resume_everywhere(str(result.run_id), targets=[ionet, vault], **given)
    assert [one.settled for one in again.updated] == ["resent", ""]
    assert [(row.name, row.value) for row in stores.ionet.secrets] == [("OTHER", NEW)]


def test_a_secret_that_is_gone_since_is_not_made_anew(stores: Stores) -> None:
    failing(stores.wix, Reply(503))
    result = journalled(stores, check=False)
    with stores.bridge("wix") as bridge:
        bridge.delete_secret(NAME)
    again = resumed(stores, str(result.run_id), check=False)
    (gone,) = again.not_applied
    assert (type(gone.error), stores.wix.secrets) == (errors.SecretNotFound, ())


def test_a_time_of_expiry_is_kept_with_the_change(stores: Stores) -> None:
    when = datetime(2031, 1, 1, tzinfo=UTC)
    vault = stores.provider("vault")
    at_a_write(stores.insforge, before=lambda: stores.insforge.script(Lost()), method="PUT")
    given: dict[str, Any] = {"vault": keep(stores), "journal": stores.folder / "journal"}
    with stores.bridge("insforge") as bridge:
        result = everywhere(
            "blocking", stores, [], bridge, vault, value=NEW, expires_at=when, check=False, **given
        )
        assert kinds(result) == ["Unknown", "Updated"]
        again = resume_everywhere(str(result.run_id), targets=[bridge, vault], **given)
        assert (kinds(again), bridge.get_secret(NAME).expires_at) == (["Updated"] * 2, when)


def test_named_targets_need_not_be_named_again(stores: Stores, tmp_path: Path) -> None:
    config = tmp_path / "mine.toml"
    config.write_text(
        f'[connections.a]\nprovider = "dotenv"\npath = "{stores.folder}/x.env"\n'
        f'[connections.b]\nprovider = "jsonfile"\npath = "{stores.folder}/x.json"\n'
        f'[connections.keep]\nprovider = "local"\nlocation = "{stores.folder}/keep.db"\n'
        f'key_file = "{stores.folder}/keep.key"\n'
    )
    config.chmod(0o600)
    (stores.folder / "x.json").chmod(0o666)
    options: dict[str, Any] = {"vault": "keep", "config": config, "journal": stores.folder / "journal"}
    result = everywhere("blocking", stores, [], "a", ("b", NAME), value=NEW, check=False, **options)
    (stores.folder / "x.json").chmod(0o600)
    again = resume_everywhere(str(result.run_id), **options)
    assert kinds(again) == ["Updated"] * 2
    assert stores.values(["dotenv", "json"]) == {"dotenv": NEW, "json": NEW}


@pytest.fixture
def unfinished(stores: Stores) -> str:
    failing(stores.wix, Reply(401))
    return str(journalled(stores, check=False).run_id)


def test_other_targets_than_the_runs_are_refused(stores: Stores, unfinished: str) -> None:
    with pytest.raises(errors.JournalMismatch, match="'Wix' of the run is not among the targets"):
        resume_everywhere(
            unfinished,
            targets=[stores.provider("dotenv")],
            vault=keep(stores),
            journal=stores.folder / "journal",
        )


def test_targets_that_were_not_named_have_to_be_given_again(stores: Stores, unfinished: str) -> None:
    with pytest.raises(InvalidRequest, match="targets: are needed"):
        resume_everywhere(unfinished, vault=keep(stores), journal=stores.folder / "journal")


def test_the_vault_has_to_be_the_runs_own(stores: Stores, unfinished: str) -> None:
    with pytest.raises(InvalidRequest, match="vault: has no key"):
        resumed(stores, unfinished, vault=stores.provider("vault"))
    with pytest.raises(InvalidRequest, match="vault: is missing"):
        resumed(stores, unfinished, vault=None)


def test_a_vault_that_no_connection_names_is_told_once(stores: Stores, unfinished: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        resumed(stores, unfinished, vault="valt")
    told = [str(one).partition(" (did")[0] for one in caught.value.violations]
    assert told == ["vault (valt): no connection has this name"]


def test_wrong_targets_are_refused_when_a_run_is_gone_on_with(stores: Stores, unfinished: str) -> None:
    with pytest.raises(InvalidRequest, match="is no target"):
        resume_everywhere(unfinished, targets=[3], vault=keep(stores), journal=stores.folder / "journal")  # type: ignore[list-item]  # the point


def test_a_run_that_is_not_there_is_refused(stores: Stores, unfinished: str) -> None:
    with pytest.raises(errors.JournalMismatch, match="There is no journal"):
        resumed(stores, "change-0000000000000000")


def test_a_change_that_the_vault_holds_no_more_is_not_gone_on_with(stores: Stores, unfinished: str) -> None:
    with SecretBridge(keep(stores)) as bridge:
        bridge.delete_secret(f"change.{unfinished}.new")
    with pytest.raises(errors.JournalMismatch, match="does not hold this change any more"):
        resumed(stores, unfinished)
    assert stores.value("wix") == OLD


def test_a_journal_that_was_edited_is_refused(stores: Stores, unfinished: str) -> None:
    import sqlite3

    database = sqlite3.connect(stores.folder / "journal" / f"{unfinished}.db")
    with database:
        database.execute("UPDATE entry SET data = replace(data, 'updated', 'unknown')")
    database.close()
    with pytest.raises(errors.JournalMismatch, match="is not as it was written"):
        resumed(stores, unfinished)


def test_a_journal_folder_without_a_vault_is_refused(stores: Stores) -> None:
    with pytest.raises(InvalidRequest, match="journal: is given without vault"):
        everywhere("blocking", stores, ["wix"], value=NEW, journal=stores.folder / "journal")


class Full(Local):
    """A vault that has room for its key and for no value of a change."""

    async def put(self, channel: Channel, name: str, fields: Fields) -> Secret:
        raise errors.VaultFull(f"No room is left for {name}.")


def test_where_the_vault_does_not_take_the_change_nothing_is_sent_and_the_run_is_let_go_of(
    stores: Stores,
) -> None:
    full = Full(stores.folder / "keep.db", key_file=stores.folder / "keep.key")
    with pytest.raises(errors.VaultFull):
        journalled(stores, vault=full)
    assert (stores.values(TARGETS), kept(stores)) == (dict.fromkeys(TARGETS, OLD), [])
    with pytest.raises(errors.JournalMismatch, match="Nothing was sent in this run"):
        resumed(stores, run_of(stores))
    assert kinds(journalled(stores)) == ["Updated"] * 3


def test_extra_fields_that_cannot_be_kept_are_refused(stores: Stores) -> None:
    from secretbridge._everywhere_packed import packed

    with pytest.raises(InvalidRequest, match="extra: cannot be kept"):
        packed({"extra": {"a": object()}})


def test_the_journal_holds_no_value_and_is_its_owners_alone(stores: Stores) -> None:
    failing(stores.wix, Reply(401))
    journalled(stores, check=False, on_failure="restore")
    for path in (stores.folder / "journal").iterdir():
        content = path.read_bytes()
        assert NEW.encode() not in content
        assert OLD.encode() not in content
        assert path.stat().st_mode & 0o077 == 0
