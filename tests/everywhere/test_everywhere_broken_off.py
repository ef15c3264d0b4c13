"""Ctrl-C and cancellation end a change in many places at once, and a note says how far it came."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time

import anyio
import pytest
from everywhere_stores import NAME, NEW, OLD, Stores, stores

from secretbridge import AsyncSecretBridge, Retry, update_everywhere_async
from secretbridge.testing import Reply

__all__ = ["stores"]

_INTERRUPTED = """
import signal, sys
from secretbridge import InsForge, Local, Retry, SecretBridge, update_everywhere
url, folder = sys.argv[1:]
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started us with it ignored
slow = SecretBridge(InsForge(url, api_key="ik_insforge-key"), retry=Retry(max_retry_after=50))
vault = Local(folder + "/vault.db", key_file=folder + "/vault.key")
try:
    update_everywhere("STRIPE_KEY", targets=[slow, vault], value="sk-new-value")
except KeyboardInterrupt as ended:
    print(*ended.__notes__)
else:
    sys.exit("it was not interrupted")
"""
_NOTE = "The change in 2 places was broken off; InsForge: not known, the vault: updated."


def test_ctrl_c_ends_the_wait_of_every_target_and_says_how_far_it_came(stores: Stores) -> None:
    busy = Reply(429, {"error": "X", "message": "m", "statusCode": 429}, headers=[("Retry-After", "40")])
    stores.insforge.script(busy)
    with stores.insforge.serve() as url:
        child = subprocess.Popen(
            [sys.executable, "-c", _INTERRUPTED, url, str(stores.folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until = time.monotonic() + 20
        while (not stores.insforge.requests or stores.value("vault") != NEW) and time.monotonic() < until:
            time.sleep(0.02)
        started = time.monotonic()
        child.send_signal(signal.SIGINT)
        said, complained = child.communicate(timeout=20)
    assert (said.strip(), complained, child.returncode) == (_NOTE, "", 0)
    assert time.monotonic() - started < 5


async def _waiting(stores: Stores, note: list[str]) -> None:
    """A change that waits for ever in one target; the other is opened and closed by it."""
    stores.insforge.script(Reply(429, headers=[("Retry-After", "40")]))
    async with AsyncSecretBridge(
        stores.provider("insforge"),
        transport=stores.insforge.transport(),
        retry=Retry(max_retry_after=50),
        pace=None,
    ) as bridge:
        try:
            await update_everywhere_async(NAME, targets=[bridge, stores.provider("vault")], value=NEW)
        except BaseException as ended:
            note += ended.__notes__
            raise


async def _until_written(stores: Stores) -> None:
    async with AsyncSecretBridge(stores.provider("vault")) as bridge:
        while not stores.insforge.requests or (await bridge.get_secret(NAME)).reveal() == OLD:  # noqa: ASYNC110 - a file tells it
            await anyio.sleep(0.01)
    await anyio.sleep(0.05)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_scope_ends_it_and_closes_what_was_opened(stores: Stores, backend: str) -> None:
    note: list[str] = []

    async def work() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(_waiting, stores, note)
            await _until_written(stores)
            group.cancel_scope.cancel()

    anyio.run(work, backend=backend)
    assert note == [_NOTE]
    assert not (stores.folder / "vault.db-wal").exists()


def test_a_cancelled_task_of_asyncio_ends_it_and_closes_what_was_opened(stores: Stores) -> None:
    note: list[str] = []

    async def work() -> None:
        task = asyncio.create_task(_waiting(stores, note))
        await _until_written(stores)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())
    assert note == [_NOTE]
    assert not (stores.folder / "vault.db-wal").exists()
