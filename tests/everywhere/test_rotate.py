"""A rotation: a new token everywhere, read back, then the old one revoked; it can be gone on with."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from everywhere_stores import FACES, NAME, NEW, OLD, Stores, at_a_write, kept, options, stores
from pydantic import SecretStr

from secretbridge import (
    Environment,
    InvalidRequest,
    Rotation,
    RotationIncomplete,
    SecretNotFound,
    _everywhere_run,
    errors,
    resume_rotation,
    resume_rotation_async,
    rotate,
    rotate_async,
)
from secretbridge.testing import Reply

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["stores"]

_CHILD = """
import os, signal, sys, threading
from pathlib import Path
from secretbridge import Dotenv, JsonFile, Local, rotate
from secretbridge.migrate._journal import Journal

folder, when, step = sys.argv[1:]
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

def obtain():
    made = Path(folder, "made")
    made.write_text(made.read_text() + "x" if made.exists() else "x")
    return "sk-new-" + made.read_text()

rotate(
    "STRIPE_KEY",
    obtain=obtain,
    targets=[Dotenv(folder + "/x.env"), JsonFile(folder + "/x.json")],
    vault=Local(folder + "/keep.db", key_file=folder + "/keep.key"),
    revoke=lambda old: Path(folder, "gone").write_text(old.get_secret_value()),
    journal=folder + "/journal",
)
"""
#: old, obtained, writing; of the change kept, intended, two outcomes and end; revoked, end.
STEPS = 10
REVOKED = 9


@pytest.fixture(autouse=True)
def a_short_settle_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_everywhere_run, "SETTLE", 0.05)


def run_of(stores: Stores) -> str:
    (path,) = (stores.folder / "journal").glob("rotation-*.db")
    return path.stem


class Issuer:
    """Where tokens come from; it remembers what was asked of it."""

    def __init__(self) -> None:
        self.obtained = 0
        self.revoked: list[str] = []

    def obtain(self) -> str:
        self.obtained += 1
        return NEW

    def revoke(self, old: SecretStr) -> None:
        self.revoked.append(old.get_secret_value())


@FACES
def test_the_old_token_is_revoked_when_the_new_one_is_everywhere(stores: Stores, face: str) -> None:
    issuer = Issuer()
    names = ["wix", "vault", "dotenv"]

    async def work() -> Rotation:
        bridges = [stores.bridge(one, face) for one in names]
        given: dict[str, Any] = {
            "targets": bridges,
            "obtain": issuer.obtain,
            "revoke": issuer.revoke,
            **options(stores),
        }
        try:
            return await rotate_async(NAME, **given)
        finally:
            for bridge in bridges:
                await bridge.close()

    if face == "blocking":
        bridges = [stores.bridge(one) for one in names]
        made = rotate(NAME, targets=bridges, obtain=issuer.obtain, revoke=issuer.revoke, **options(stores))
    else:
        made = anyio.run(work, backend=face)
    assert stores.values(names) == dict.fromkeys(names, NEW)
    assert (issuer.obtained, issuer.revoked, made.revoked) == (1, [OLD], 1)
    assert made.verified == ("Wix", "the vault", "the dotenv file")
    assert kept(stores) == []


@pytest.mark.parametrize("variable", [None, "OLD_TOKEN"])
def test_commands_get_the_old_token_and_give_the_new_one_off_the_argument_list(
    stores: Stores, tmp_path: Path, variable: str | None
) -> None:
    source = "sys.stdin.read()" if variable is None else f"os.environ['{variable}']"
    gone, arguments = tmp_path / "gone", tmp_path / "arguments"
    program = (
        f"import os, sys; open({str(gone)!r}, 'w').write({source});"
        f"open({str(arguments)!r}, 'wb').write(open('/proc/self/cmdline', 'rb').read())"
    )
    made = rotate(
        NAME,
        obtain=[sys.executable, "-c", f"print('{NEW}')"],
        targets=[stores.provider("dotenv")],
        revoke=[sys.executable, "-c", program],
        revoke_variable=variable,
        **options(stores),
    )
    assert (stores.value("dotenv"), gone.read_text(), made.revoked) == (NEW, OLD, 1)
    assert OLD.encode() not in arguments.read_bytes()


def test_targets_that_held_different_tokens_have_each_of_them_revoked(stores: Stores) -> None:
    issuer = Issuer()
    with stores.bridge("dotenv") as bridge:
        bridge.update_secret(NAME, value="another-old")
    targets = [stores.provider(one) for one in ("dotenv", "json", "vault")]
    made = rotate(NAME, obtain=issuer.obtain, targets=targets, revoke=issuer.revoke, **options(stores))
    assert (sorted(issuer.revoked), made.revoked) == (["another-old", OLD], 2)


def test_a_token_may_come_wrapped(stores: Stores) -> None:
    rotate(NAME, obtain=lambda: SecretStr(NEW), targets=[stores.provider("dotenv")], **options(stores))
    assert stores.value("dotenv") == NEW


def test_without_revoke_the_old_token_is_left_alone(stores: Stores) -> None:
    made = rotate(NAME, obtain=lambda: NEW, targets=[stores.provider("dotenv")], **options(stores))
    assert (made.revoked, stores.value("dotenv")) == (0, NEW)


def test_a_token_that_did_not_change_is_not_revoked(stores: Stores) -> None:
    issuer = Issuer()
    made = rotate(
        NAME, obtain=lambda: OLD, targets=[stores.provider("dotenv")], revoke=issuer.revoke, **options(stores)
    )
    assert (made.revoked, issuer.revoked) == (0, [])


@pytest.mark.parametrize(
    ("when", "step"),
    [
        *(("before", step) for step in (1, 2, 3, 4, 6, REVOKED, STEPS)),
        *(("after", step) for step in (1, 2, 3, REVOKED, STEPS)),
    ],
)
def test_a_rotation_killed_at_any_step_of_its_journal_is_completed(
    stores: Stores, when: str, step: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(stores.folder), when, str(step)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (-9, "")
    issuer = Issuer()
    made = resume_rotation(
        run_of(stores),
        obtain=issuer.obtain,
        targets=[stores.provider("dotenv"), stores.provider("json")],
        revoke=issuer.revoke,
        **options(stores),
    )
    obtained_before = (stores.folder / "made").exists()
    at_the_very_moment = (when, step) == ("before", 2)  # obtained, and not yet written down
    token = NEW if not obtained_before or at_the_very_moment else "sk-new-x"
    assert stores.values(["dotenv", "json"]) == {"dotenv": token, "json": token}
    assert issuer.obtained == (1 if token == NEW else 0)
    gone = stores.folder / "gone"
    assert OLD in [*issuer.revoked, *([gone.read_text()] if gone.exists() else [])]
    assert made.results.complete
    assert kept(stores) == []


def failed(stores: Stores, *names: str, **given: Any) -> RotationIncomplete:
    arguments = {"obtain": lambda: NEW, "revoke": lambda _: None, **options(stores), **given}
    bridges = [stores.bridge(one) for one in names]
    with pytest.raises(RotationIncomplete) as caught:
        rotate(NAME, targets=bridges, **arguments)
    assert caught.value.__context__ is None
    assert NEW not in f"{caught.value} {vars(caught.value)}"
    return caught.value


def raises(*_: object) -> str:
    raise KeyError(NEW, OLD)


@pytest.mark.parametrize(
    ("obtain", "told"),
    [
        (raises, "No new token was obtained: it raised KeyError."),
        (lambda: "", "No new token was obtained: it gave no text."),
        (lambda: None, "No new token was obtained: it gave no text."),
        ([sys.executable, "-c", f"print('{NEW}'); raise SystemExit(3)"], "the command ended with status 3"),
        ([sys.executable, "-c", "import time; time.sleep(60)"], "the command took longer than 0.3 s"),
        (["/no/such/program"], "the command cannot be started"),
    ],
)
def test_where_no_token_is_obtained_nothing_is_written(stores: Stores, obtain: Any, told: str) -> None:
    error = failed(stores, "dotenv", obtain=obtain, time_limit=0.3 if "0.3" in told else 20)
    assert told in str(error)
    assert (error.step, error.applied, error.results) == ("obtain", False, None)
    assert stores.value("dotenv") == OLD


def test_where_a_target_fails_the_old_token_is_not_revoked(stores: Stores) -> None:
    issuer = Issuer()

    at_a_write(stores.wix, before=lambda: stores.wix.script(Reply(401)))
    error = failed(stores, "wix", "dotenv", obtain=issuer.obtain, revoke=issuer.revoke)
    assert (error.step, issuer.revoked) == ("write", [])
    assert error.results is not None
    assert str(error).endswith(f"resume_rotation({error.run_id!r}, …) goes on with it.")
    made = resume_rotation(
        error.run_id,
        obtain=issuer.obtain,
        targets=[stores.bridge("wix"), stores.bridge("dotenv")],
        revoke=issuer.revoke,
        **options(stores),
    )
    assert (issuer.obtained, issuer.revoked, made.revoked) == (1, [OLD], 1)
    assert stores.values(["wix", "dotenv"]) == {"wix": NEW, "dotenv": NEW}


def test_where_a_target_tells_another_value_the_old_token_is_not_revoked(stores: Stores) -> None:
    def another() -> None:
        stores.wix._rows.clear()
        stores.wix.seed(NAME, "somebody-elses")

    at_a_write(stores.wix, after=another)
    issuer = Issuer()
    error = failed(stores, "wix", revoke=issuer.revoke)
    assert (error.step, issuer.revoked) == ("verify", [])
    assert "could not be read back (Wix: it tells another value)" in str(error)


def test_where_the_new_token_cannot_be_read_back_the_old_one_is_not_revoked(stores: Stores) -> None:
    at_a_write(stores.wix, after=lambda: stores.wix.script(Reply(401)))
    assert "(Wix: AuthenticationError)" in str(failed(stores, "wix"))


@pytest.mark.parametrize(
    "revoke", [raises, [sys.executable, "-c", "raise SystemExit(1)"]], ids=["callable", "command"]
)
def test_a_revocation_that_fails_is_made_again(stores: Stores, revoke: Any) -> None:
    error = failed(stores, "dotenv", revoke=revoke)
    assert (error.step, error.applied) == ("revoke", None)
    assert stores.value("dotenv") == NEW
    issuer = Issuer()
    given: dict[str, Any] = {
        "obtain": issuer.obtain,
        "revoke": issuer.revoke,
        "targets": [stores.provider("dotenv")],
    }
    made = resume_rotation(error.run_id, **given, **options(stores))
    assert (issuer.obtained, issuer.revoked, made.revoked) == (0, [OLD], 1)


@pytest.mark.parametrize("face", ["asyncio", "trio"])
def test_a_rotation_is_gone_on_with_on_an_event_loop(stores: Stores, face: str) -> None:
    run_id = failed(stores, "dotenv", revoke=raises).run_id
    issuer = Issuer()

    async def work() -> Rotation:
        given: dict[str, Any] = {
            "obtain": issuer.obtain,
            "revoke": issuer.revoke,
            "targets": iter([stores.provider("dotenv")]),
        }
        return await resume_rotation_async(run_id, **given, **options(stores))

    assert anyio.run(work, backend=face).revoked == 1


def refused(stores: Stores, *targets: Any, **given: Any) -> list[str]:
    issuer = Issuer()
    arguments = {"obtain": issuer.obtain, "revoke": issuer.revoke, **options(stores), **given}
    with pytest.raises(InvalidRequest) as caught:
        rotate(NAME, targets=targets, **arguments)
    assert issuer.obtained == 0
    assert list(stores.folder.glob("journal/rotation-*")) == []
    return [str(one) for one in caught.value.violations]


def test_what_is_wrong_is_told_before_a_token_is_obtained(stores: Stores) -> None:
    wrong = refused(
        stores, "nowhere", Environment(), obtain=3, revoke="rm", revoke_variable="a b", time_limit=0
    )
    assert [told.partition(":")[0] for told in wrong] == [
        "obtain",
        "revoke",
        "revoke_variable",
        "time_limit",
        "targets[0] (nowhere)",
        "the environment",
    ]


def test_a_vault_is_needed(stores: Stores) -> None:
    assert refused(stores, stores.provider("dotenv"), vault=None) == [
        "vault: is missing (say which vault keeps the tokens meanwhile)"
    ]
    with pytest.raises(InvalidRequest, match="vault: is missing"):
        resume_rotation("rotation-0000000000000000", obtain=lambda: NEW, vault=None)  # type: ignore[arg-type]  # the point


def test_revoking_unverified_needs_consent(stores: Stores) -> None:
    (told,) = refused(stores, stores.bridge("ionet"), stores.bridge("dotenv"))
    assert told == (
        "io.net: io.net never tells a value, so the old token would be revoked unverified"
        " (consent with accept_unverifiable=True)"
    )
    issuer = Issuer()
    made = rotate(
        NAME,
        obtain=issuer.obtain,
        targets=[stores.bridge("ionet"), stores.bridge("dotenv")],
        revoke=issuer.revoke,
        accept_unverifiable=True,
        **options(stores),
    )
    assert (made.verified, made.revoked) == (("the dotenv file",), 1)


def test_where_no_target_tells_the_old_token_revoking_is_refused(stores: Stores) -> None:
    (told,) = refused(stores, stores.bridge("ionet"), accept_unverifiable=True)
    assert told == "revoke: would get no old token: no target tells its value (leave it out)"


def test_a_secret_that_is_not_there_is_found_out_before_a_token_is_obtained(stores: Stores) -> None:
    issuer = Issuer()
    with pytest.raises(SecretNotFound):
        rotate(
            "ABSENT",
            obtain=issuer.obtain,
            targets=[stores.provider("dotenv")],
            revoke=issuer.revoke,
            **options(stores),
        )
    assert issuer.obtained == 0


def test_the_journal_of_a_change_is_not_one_of_a_rotation(stores: Stores) -> None:
    rotate(NAME, obtain=lambda: NEW, targets=[stores.provider("dotenv")], **options(stores))
    (change,) = (stores.folder / "journal").glob("change-*.db")
    with pytest.raises(errors.JournalMismatch):
        resume_rotation(change.stem, obtain=lambda: NEW, **options(stores))


def test_targets_that_were_not_named_are_needed_again(stores: Stores) -> None:
    run_id = failed(stores, "dotenv", revoke=raises).run_id
    with pytest.raises(InvalidRequest, match="targets: is not a list of targets"):
        resume_rotation(run_id, obtain=lambda: NEW, **options(stores))


def test_journals_hold_no_token(stores: Stores) -> None:
    failed(stores, "dotenv", revoke=raises)
    files = list((stores.folder / "journal").iterdir())
    assert len(files) > 1
    for path in files:
        content = path.read_bytes()
        assert NEW.encode() not in content
        assert OLD.encode() not in content
        assert os.stat(path).st_mode & 0o077 == 0  # noqa: PTH116 - as in the shell


@pytest.mark.parametrize(("one", "other"), [(rotate, rotate_async), (resume_rotation, resume_rotation_async)])
def test_both_faces_of_a_rotation_are_alike(one: Any, other: Any) -> None:
    ours, theirs = inspect.signature(one).parameters, inspect.signature(other).parameters
    assert [(name, each.default) for name, each in ours.items()] == [
        (name, each.default) for name, each in theirs.items()
    ]
    assert inspect.getdoc(one) == inspect.getdoc(other)
