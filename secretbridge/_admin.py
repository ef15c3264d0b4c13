"""The face of the embedded vault for those who look after it; blocking."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

from secretbridge._embedded import Opening, path_violations, secret_of
from secretbridge._trail import AuditHead
from secretbridge.errors import InvalidRequest, Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from pydantic import SecretStr

    from secretbridge._models import Secret
    from secretbridge._trail import AuditEntry, Verified, VersionInfo
    from secretbridge._vault._administered import AdministeredVault

__all__ = ["Vault"]


class Vault:
    """The embedded vault's past and its soundness: history, restoring, audit trail, verification, backup.

    Opened at the first call, and created where it is absent, as by ``Local``. Blocking; safe with many
    threads, many processes, and after a fork.

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
        self._opening = Opening(location, environment, passphrase=passphrase, key_file=key_file)
        self._opened: AdministeredVault | None = None
        # By process: a child must not wait for a thread that its parent had.
        self._locks = {os.getpid(): threading.Lock()}

    @classmethod
    def _over(cls, opening: Opening) -> Self:
        """Give the face of the vault that this opens."""
        vault = cls()
        vault._opening = opening
        return vault

    def _vault(self) -> AdministeredVault:
        from secretbridge._vault._administered import AdministeredVault

        with self._locks.setdefault(os.getpid(), threading.Lock()):
            if self._opened is None:
                self._opened = self._opening.open(AdministeredVault)
            return self._opened

    def history(self, name: str | None = None, *, id: str | None = None) -> list[VersionInfo]:
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
        if (name is None) == (id is None):
            raise InvalidRequest(
                violations=[Violation("name", "and id: exactly one of them names a secret", "give one")]
            )
        _refuse(_text("name", name) if id is None else _text("id", id))
        return self._vault().history(name=name, id=id)

    def version(self, name: str, number: int) -> Secret:
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
        _refuse(_text("name", name) + _number("number", number, 1))
        return secret_of(self._vault().version(name, number))

    def restore(self, name: str, number: int) -> Secret:
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
        _refuse(_text("name", name) + _number("number", number, 1))
        return secret_of(self._vault().restore(name, number), told=False)

    def undelete(self, name: str) -> Secret:
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
        _refuse(_text("name", name))
        return secret_of(self._vault().undelete(name), told=False)

    def expiring(self, within: timedelta) -> list[Secret]:
        """Give the secrets of this environment that expire within a time, soonest first, without values.

        Those that have expired already come first: their ``expires_at`` is in the past.

        Args:
            within: from now on; ``timedelta(0)`` gives the expired ones alone.

        Raises:
            InvalidRequest: it is no timedelta, or negative.
            VaultDamaged: a secret is not what was written.
            VaultError: the vault cannot be opened or read.
        """
        if not isinstance(within, timedelta) or within < timedelta(0):
            raise InvalidRequest(
                violations=[
                    Violation("within", "is not a time from now on", "for example timedelta(days=30)")
                ]
            )
        return [secret_of(record, told=False) for record in self._vault().expiring(within)]

    def audit(self, *, after: int = 0) -> Iterator[AuditEntry]:
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
        _refuse(_number("after", after, 0))
        yield from self._vault().audit(after)

    def export_audit(self, file: TextIO) -> int:
        """Write the audit trail of the whole vault as JSON lines: the fields of ``AuditEntry``, no values.

        Args:
            file: a file open for writing text; it stays open.

        Returns:
            How many lines were written.

        Raises:
            VaultDamaged: a line of the trail is missing or not what was written.
            VaultError: the vault cannot be opened or read.
        """
        written = 0
        for entry in self.audit():
            fields = asdict(entry) | {"at": entry.at.isoformat(timespec="microseconds")}
            file.write(json.dumps(fields) + "\n")
            written += 1
        return written

    def audit_head(self) -> AuditHead:
        """Give an anchor: where the audit trail is at. ``str()`` of it is one word, to be kept elsewhere.

        Raises:
            VaultDamaged: the vault's state is not what was written.
            VaultError: the vault cannot be opened or read.
        """
        return self._vault().audit_head()

    def verify_audit(self, anchor: AuditHead | str | None = None) -> AuditHead:
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
        known = anchor if anchor is None or isinstance(anchor, AuditHead) else AuditHead.parse(anchor)
        return self._vault().verify_audit(known)

    def verify(self) -> Verified:
        """Check the whole vault: every secret, the history, the audit trail's chain, the counts.

        Takes time in proportion to the vault and its history; nobody is kept from writing meanwhile.

        Returns:
            How many names, values and lines of the audit trail were found whole.

        Raises:
            VaultDamaged: something in it is not what was written.
            VaultError: the vault cannot be opened or read.
        """
        return self._vault().verify()

    def backup(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Verified:
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
        _refuse(path_violations("path", path))
        return self._vault().backup(Path(path), overwrite=overwrite)

    def location(self) -> Path:
        """Give the vault's file, be it there or not; nothing is opened."""
        return self._opening.location()

    def close(self) -> None:
        """Close the vault; a later call opens it again."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Vault{self._opening!r}"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a Vault is not pickled: it may hold a passphrase; open it where it is used")


def _refuse(wrong: list[Violation]) -> None:
    if wrong:
        raise InvalidRequest(violations=wrong)


def _text(argument: str, given: object) -> list[Violation]:
    if isinstance(given, str) and given:
        return []
    return [Violation(argument, "is not a text, or empty", "give the secret's")]


def _number(argument: str, given: object, least: int) -> list[Violation]:
    if isinstance(given, int) and not isinstance(given, bool) and given >= least:
        return []
    return [Violation(argument, f"is not a whole number from {least}", "take it from what the vault told")]
