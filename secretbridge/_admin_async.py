"""The face of the embedded vault for those who look after it; awaited, the blocking one in worker threads."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, NoReturn, Self, TypeVar

from secretbridge._admin import Vault

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable
    from datetime import timedelta
    from pathlib import Path
    from typing import TextIO

    from pydantic import SecretStr

    from secretbridge._embedded import Opening
    from secretbridge._models import Secret
    from secretbridge._trail import AuditEntry, AuditHead, Verified, VersionInfo

__all__ = ["AsyncVault"]

T = TypeVar("T")

#: Lines of the audit trail that are fetched at a time.
_PAGE: Final = 256


class AsyncVault:
    """The embedded vault's past and its soundness: history, restoring, audit trail, verification, backup.

    Opened at the first call, and created where it is absent, as by ``Local``. On asyncio and trio; safe with
    many tasks, many processes, and after a fork. What runs in a worker thread is never broken off: a
    cancellation of trio's or anyio's waits for its end.

    Args:
        location: the vault's file. By default ``SECRETBRIDGE_VAULT``, else ``vault.db`` in the user's data
            folder.
        environment: development, test, staging or production. Versions are those of this environment; the
            audit trail, verification and backup are of the whole vault.
        passphrase: opens the vault, through Argon2id; as str, SecretStr, or a callable that gives one when
            the vault is opened.
        key_file: opens the vault. By default ``vault.key`` in the user's configuration folder.

    Raises:
        InvalidRequest: both credentials are given, or an argument is malformed.
    """

    def __init__(
        self,
        location: str | os.PathLike[str] | None = None,
        environment: str = "development",
        *,
        passphrase: str | SecretStr | Callable[[], str | SecretStr] | None = None,
        key_file: str | os.PathLike[str] | None = None,
    ) -> None:
        self._blocking = Vault(location, environment, passphrase=passphrase, key_file=key_file)

    @classmethod
    def _over(cls, opening: Opening) -> Self:
        """Give the face of the vault that this opens."""
        vault = cls()
        vault._blocking = Vault._over(opening)  # noqa: SLF001 - the two faces are one interface
        return vault

    async def history(self, name: str | None = None, *, id: str | None = None) -> list[VersionInfo]:
        """Give the versions of a secret in this environment, newest first, without values.

        Args:
            name: its name; that of a deleted secret too.
            id: its id; or give ``name``.

        Raises:
            InvalidRequest: not exactly one of the two is given.
            SecretNotFound: there never was such a secret here.
            VaultDamaged: the history is not what was written.
            VaultError: the vault cannot be opened or read.
        """
        return await _in_thread(partial(self._blocking.history, name, id=id))

    async def version(self, name: str, number: int) -> Secret:
        """Give one version of a secret as it was then, with its value, be it inactive, expired or deleted.

        Args:
            name: the name the secret has now, or had when it was deleted.
            number: which version, from 1.

        Raises:
            InvalidRequest: an argument is malformed.
            SecretNotFound: there never was such a secret or version here.
            ValueNotTold: with this version it was deleted or moved to another name.
            VaultDamaged: the history is not what was written.
            VaultError: the vault cannot be opened or read.
        """
        return await _in_thread(partial(self._blocking.version, name, number))

    async def restore(self, name: str, number: int) -> Secret:
        """Give a secret the value, description, active and expiry of an older version, as a new version.

        Its name and ``protected`` stay. If the expiry of then has passed, the secret is expired at once.

        Args:
            name: its name.
            number: which version, from 1.

        Returns:
            The new version, without its value.

        Raises:
            InvalidRequest: an argument is malformed.
            SecretNotFound: there is no such secret or version here, or the secret is deleted.
            ValueNotTold: with this version it was deleted or moved to another name.
            SecretLocked: it is protected.
            VaultDamaged: the history is not what was written.
            VaultError: the vault cannot be opened or written; ``applied`` says whether it was done.
        """
        return await _in_thread(partial(self._blocking.restore, name, number))

    async def undelete(self, name: str) -> Secret:
        """Bring back what a secret was before it was deleted, as a new version.

        Args:
            name: the name it had when it was deleted.

        Returns:
            The new version, without its value.

        Raises:
            InvalidRequest: the name is malformed.
            SecretNotFound: there never was such a secret here.
            SecretExists: it is not deleted.
            VaultDamaged: the history is not what was written.
            VaultError: the vault cannot be opened or written; ``applied`` says whether it was done.
        """
        return await _in_thread(partial(self._blocking.undelete, name))

    async def expiring(self, within: timedelta) -> list[Secret]:
        """Give the secrets of this environment that expire within a time, soonest first, without values.

        Those that have expired already come first: their ``expires_at`` is in the past.

        Args:
            within: from now on; ``timedelta(0)`` gives the expired ones alone.

        Raises:
            InvalidRequest: it is no timedelta, or negative.
            VaultDamaged: a secret is not what was written.
            VaultError: the vault cannot be opened or read.
        """
        return await _in_thread(partial(self._blocking.expiring, within))

    async def audit(self, *, after: int = 0) -> AsyncIterator[AuditEntry]:
        """Give the audit trail of the whole vault line by line, oldest first, in bounded memory.

        It ends with the line that was the newest when it began. Whether the lines are those that were
        written is checked one by one, their chain by ``verify_audit()``.

        Args:
            after: begin after the line of this number.

        Raises:
            InvalidRequest: ``after`` is not a whole number from 0.
            VaultDamaged: a line is missing or not what was written.
            VaultError: the vault cannot be opened or read.
        """
        lines = self._blocking.audit(after=after)
        while page := await _in_thread(lambda: list(islice(lines, _PAGE))):
            for entry in page:
                yield entry

    async def export_audit(self, file: TextIO) -> int:
        """Write the audit trail of the whole vault as JSON lines: the fields of ``AuditEntry``, no values.

        Args:
            file: a file open for writing text; it stays open.

        Returns:
            How many lines were written.

        Raises:
            VaultDamaged: a line of the trail is missing or not what was written.
            VaultError: the vault cannot be opened or read.
        """
        return await _in_thread(partial(self._blocking.export_audit, file))

    async def audit_head(self) -> AuditHead:
        """Give an anchor: where the audit trail is at. ``str()`` of it is one word, to be kept elsewhere.

        Raises:
            VaultDamaged: the vault's state is not what was written.
            VaultError: the vault cannot be opened or read.
        """
        return await _in_thread(self._blocking.audit_head)

    async def verify_audit(self, anchor: AuditHead | str | None = None) -> AuditHead:
        """Recompute the chain over the whole audit trail; takes time in proportion to its length.

        Args:
            anchor: what ``audit_head()`` gave earlier, or its ``str()``. Without it, an older copy of the
                whole file in the vault's place goes unnoticed.

        Returns:
            Where the trail is at: the next anchor.

        Raises:
            InvalidRequest: the anchor is malformed.
            VaultDamaged: a line was changed, dropped, reordered or added, or the trail does not continue
                what the anchor was taken from.
            VaultError: the vault cannot be opened or read.
        """
        return await _in_thread(partial(self._blocking.verify_audit, anchor))

    async def verify(self) -> Verified:
        """Check the whole vault: every secret, the history, the audit trail's chain, the counts.

        Takes time in proportion to the vault and its history; nobody is kept from writing meanwhile.

        Returns:
            How many names, values and lines of the audit trail were found whole.

        Raises:
            VaultDamaged: something in it is not what was written.
            VaultError: the vault cannot be opened or read.
        """
        return await _in_thread(self._blocking.verify)

    async def backup(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Verified:
        """Copy the vault as it is at one moment into a file; others may go on writing to it.

        The copy is verified and on the disk before it gets its name, and opens with the same credential.

        Args:
            path: the copy's file (created 0600); its folder must be there and writable for its owner alone.
            overwrite: whether a file that is there already may be replaced.

        Returns:
            How many names, values and lines of the audit trail were found whole in the copy.

        Raises:
            InvalidRequest: the path is malformed.
            VaultDamaged: the copy is not whole, because the vault is not; it was thrown away.
            VaultFull: no room for it.
            VaultError: the target is there already, is the vault itself or belongs to a database in use, its
                folder is missing or open to others, or the vault cannot be read.
        """
        return await _in_thread(partial(self._blocking.backup, path, overwrite=overwrite))

    def location(self) -> Path:
        """Give the vault's file, be it there or not; nothing is opened."""
        return self._blocking.location()

    async def close(self) -> None:
        """Close the vault; a later call opens it again."""
        from anyio import CancelScope

        with CancelScope(shield=True):  # a cancelled task must not leave the vault open
            await _in_thread(self._blocking.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"Async{self._blocking!r}"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("an AsyncVault is not pickled: it may hold a passphrase; open it where it is used")


async def _in_thread(work: Callable[[], T]) -> T:
    from anyio import to_thread

    return await to_thread.run_sync(work)
