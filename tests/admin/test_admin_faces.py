"""The two faces are one interface, open late, and show nothing."""

from __future__ import annotations

import inspect
import io
import os
import pickle
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from secretbridge import AccountKey, KeyFile
from secretbridge._admin import Vault
from secretbridge._admin_async import AsyncVault
from secretbridge.errors import InvalidRequest, SecretNotFound, VaultDamaged

if TYPE_CHECKING:
    from admin_place import Home

    from secretbridge import SecretBridge

pytest_plugins = ("admin_place",)

PUBLIC = sorted(name for name in vars(Vault) if not name.startswith("_"))
ROOT = Path(__file__).parents[2]
FORKING = """
import os, sys
from secretbridge._admin import Vault
vault = Vault(sys.argv[1], key_file=sys.argv[2])
vault.verify()
child = os.fork()
if child == 0:
    os._exit(0 if vault.restore("A", 1).version == 2 else 1)
assert os.waitpid(child, 0)[1] == 0
assert [step.version for step in vault.history("A")] == [2, 1]
"""
WRONG: list[dict[str, object]] = [
    {"passphrase": "p", "key_file": "k"},
    {"passphrase": "p", "credential": KeyFile("k")},
    {"credential": KeyFile("k"), "account_key": AccountKey.generate()},
    {"account_key": "sbk_" + "A" * 48},
    {"credential": "k"},
    {"passphrase": ""},
    {"passphrase": 7},
    {"key_file": 7},
    {"location": "mysql://server/vault"},
    {"location": "postgresql://user:pass/word@server/vault"},
    {"environment": ""},
]


def test_both_faces_have_the_same_public_names() -> None:
    assert sorted(name for name in vars(AsyncVault) if not name.startswith("_")) == PUBLIC
    assert PUBLIC == [
        "audit", "audit_head", "backup", "close", "create_many", "describe", "environments", "expiring",
        "export_audit", "history", "key_file", "location", "move_to", "principals", "purge", "rekey",
        "restore", "retention", "rotate_root", "set_audit_reads", "set_retention", "share", "slots",
        "undelete", "unshare", "verify", "verify_audit", "version",
    ]  # fmt: skip


@pytest.mark.parametrize("name", [*PUBLIC, "__init__"])
def test_both_faces_have_the_same_parameters(name: str) -> None:
    if isinstance(getattr(Vault, name), property):
        assert isinstance(getattr(AsyncVault, name), property)
        return
    ours, theirs = (inspect.signature(getattr(face, name)) for face in (Vault, AsyncVault))
    assert ours.parameters == theirs.parameters


@pytest.mark.parametrize("name", PUBLIC)
def test_both_faces_have_the_same_docstrings(name: str) -> None:
    assert inspect.getdoc(getattr(Vault, name)) == inspect.getdoc(getattr(AsyncVault, name))
    assert inspect.getdoc(getattr(Vault, name))


@pytest.mark.parametrize("face", [Vault, AsyncVault])
def test_a_face_shows_its_place_and_no_credential(face: type[Vault | AsyncVault]) -> None:
    opened = face("some/vault.db", "test", passphrase="correct horse")
    assert repr(opened) == f"{face.__name__}('some/vault.db', 'test')"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(opened)


@pytest.mark.parametrize("face", [Vault, AsyncVault])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_face_refuses_malformed_arguments(face: type[Vault | AsyncVault], wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        face(**wrong)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_async_face_does_it_all(home: Home, backend: str) -> None:
    with home.bridge() as bridge:
        bridge.create_secret("A", value="one")
        bridge.update_secret("A", value="two")
        bridge.put_secret("B", value="b")
        bridge.delete_secret("B")

    async def work() -> None:
        async with AsyncVault(home.file, key_file=home.key) as vault:
            assert [step.version for step in await vault.history("A")] == [2, 1]
            assert (await vault.version("A", 1)).reveal() == "one"
            assert (await vault.restore("A", 1)).version == 3
            assert (await vault.undelete("B")).version == 3
            assert await vault.expiring(timedelta(days=1)) == []
            lines = [entry async for entry in vault.audit(after=1)]
            assert [entry.sequence for entry in lines] == [2, 3, 4, 5, 6, 7]
            exported = io.StringIO()
            assert await vault.export_audit(exported) == 7 == len(exported.getvalue().splitlines())
            head = await vault.audit_head()
            assert await vault.verify_audit(str(head)) == head
            assert await vault.backup(home.folder / "copy.db") == await vault.verify()
            with pytest.raises(SecretNotFound):
                await vault.history("NONE")
            with pytest.raises(InvalidRequest):
                [entry async for entry in vault.audit(after=-1)]
        assert vault._blocking._opened is None

    anyio.run(work, backend=backend)
    assert [path.name for path in home.file.parent.iterdir()] == ["vault.db", "vault.db.lock"]


def test_a_closed_vault_opens_again(home: Home, bridge: SecretBridge) -> None:
    vault = home.vault()
    vault.close()  # before it was ever opened
    first = vault.audit_head()
    vault.close()
    vault.close()
    bridge.create_secret("A", value="one")
    assert vault.audit_head().sequence == first.sequence + 1
    vault.close()


def test_a_vault_is_opened_late_and_by_one_thread(home: Home) -> None:
    asked: list[str] = []

    def passphrase() -> str:
        asked.append("asked")
        return "correct horse"

    with Vault(home.folder / "another.db", passphrase=passphrase) as vault:
        assert asked == []
        threads = [threading.Thread(target=vault.verify) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert asked == ["asked"]
    with pytest.raises(VaultDamaged), Vault(empty(home), passphrase="p") as vault:
        vault.verify()


def empty(home: Home) -> str:
    file = home.folder / "empty.db"
    file.touch(mode=0o600)
    return os.fspath(file)


def test_a_child_goes_on_with_its_parents_vault(home: Home, bridge: SecretBridge) -> None:
    bridge.create_secret("A", value="one")
    # In a process of its own: this one may have threads, which a fork would warn about.
    done = subprocess.run(
        [sys.executable, "-c", FORKING, home.file, home.key],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    with home.vault() as vault:
        assert [step.operation for step in vault.history("A")] == ["restore", "create"]


def test_importing_the_faces_loads_nothing_expensive() -> None:
    program = "import sys, secretbridge._admin, secretbridge._admin_async\nprint(*sys.modules)"
    environment = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True
    )
    expensive = {"anyio", "asyncio", "cryptography", "httpx", "pydantic", "sqlite3", "ssl", "tenacity"}
    assert set(done.stdout.split()) & expensive == set()
