"""The face of the embedded vault for those who look after it; blocking."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NoReturn, Self

from secretbridge._admin_access import Environments, Principals
from secretbridge._admin_slots import Slots, consent_violations, kept_violations
from secretbridge._embedded import Opening, path_violations, place_of, secret_of
from secretbridge._embedded_capabilities import checked
from secretbridge._trail import AuditHead
from secretbridge.errors import InvalidRequest, Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from typing import TextIO

    from pydantic import SecretStr

    from secretbridge._credentials import Credential
    from secretbridge._models import Secret
    from secretbridge._trail import (
        AuditEntry,
        Purged,
        Retention,
        SecretInfo,
        SlotInfo,
        Verified,
        VersionInfo,
    )
    from secretbridge._vault._administered import AdministeredVault

__all__ = ["Vault"]

#: Days that a version is kept at most where a number is given: a hundred years.
_LONGEST: Final = 36_500


class Vault:
    """The embedded vault's past and its soundness: history, restoring, audit trail, verification, backup.

    Opened at the first call, and created where it is absent, as by ``Local``. Blocking; safe with many
    threads, many processes, and after a fork.

    Args:
        location: the vault's file, or ``postgresql://…`` (docs/postgresql.md). By default
            ``SECRETBRIDGE_VAULT``, else ``vault.db`` in the user's data folder.
        environment: development, test, staging or production. Versions are those of this environment; the
            audit trail, verification and backup are of the whole vault.
        passphrase: opens the vault, through Argon2id; as str, SecretStr, or a callable that gives one when
            the vault is opened.
        key_file: opens the vault. By default ``vault.key`` in the user's configuration folder.
        credential: opens the vault: a Passphrase, KeyFile, EnvironmentKey, KeyringKey or ExternalKey.
        account_key: opens the vault as one of its accounts; as str, SecretStr, or a callable that gives one.
        expect_head: what ``audit_head()`` gave earlier, or its ``str()``. The vault that is opened must
            continue this trail, else VaultDamaged: an older copy was put in its place.

    Raises:
        InvalidRequest: several credentials are given, or an argument is malformed.
    """

    def __init__(
        self,
        location: str | os.PathLike[str] | None = None,
        environment: str = "development",
        *,
        passphrase: str | SecretStr | Callable[[], str | SecretStr] | None = None,
        key_file: str | os.PathLike[str] | None = None,
        credential: Credential | None = None,
        account_key: str | SecretStr | Callable[[], str | SecretStr] | None = None,
        expect_head: AuditHead | str | None = None,
    ) -> None:
        self._opening = Opening(
            location,
            environment,
            passphrase=passphrase,
            key_file=key_file,
            credential=credential,
            account_key=account_key,
            expect_head=expect_head,
        )
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
        if not isinstance(within, timedelta) or within < timedelta(0):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
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

    def create_many(self, secrets: Mapping[str, str | SecretStr]) -> int:
        """Create many secrets of this environment in one transaction: all of them or none.

        Args:
            secrets: name and value of each; limits are those of ``create_secret()``.

        Returns:
            How many were created.

        Raises:
            InvalidRequest: a name or a value is malformed; the first twenty are listed.
            SecretExists: one of the names is taken; nothing was created.
            VaultError: the vault cannot be opened or written; ``applied`` says whether it was done.
        """
        return self._vault().create_many(checked(secrets))

    def retention(self) -> Retention:
        """Give how much of its history the vault keeps.

        Raises:
            VaultDamaged: the vault's rules are not what was written.
            VaultError: the vault cannot be opened or read.
        """
        return self._vault().retention()

    def set_retention(
        self, *, versions: int | None, days: int | None, dry_run: bool = False
    ) -> Purged | None:
        """Say how much of its history the vault keeps, in all environments; noted in the audit trail.

        What is not kept any more is dropped when a secret is next written, and for all of them by
        ``purge()``. The newest version and, of a deleted secret, what ``undelete()`` brings back always stay.

        Args:
            versions: how many versions of a value at most, the newest included, from 1; None keeps all.
            days: for how many days a version is kept after it was replaced, from 1 to 36,500; None keeps it
                for ever. With both, what either of them does not keep is dropped.
            dry_run: set nothing, and give what ``purge()`` would remove in this environment if it were set.

        Raises:
            InvalidRequest: an argument is malformed.
            VaultError: the vault cannot be opened or written; ``applied`` says whether it was done.
        """
        wrong = [] if versions is None else _number("versions", versions, 1)
        wrong += [] if days is None else _number("days", days, 1, _LONGEST)
        _refuse(wrong)
        if dry_run:
            return self._vault().would_keep(versions, days)
        self._vault().set_retention(versions, days)
        return None

    def purge(
        self,
        name: str | None = None,
        *,
        older_versions: bool = False,
        deleted: bool = False,
        dry_run: bool = False,
    ) -> Purged:
        """Remove for good what retention does not keep and what is asked for, in this environment.

        The audit trail keeps a line for each value and says up to which version. What is removed leaves the
        vault's files at once, unless somebody is reading from the journal (``Purged.pending``). It stays in
        backups, in snapshots, and in blocks that a disk has put aside.

        Args:
            name: of this secret alone; else of all.
            older_versions: every version but the newest; of a deleted secret, but what ``undelete()`` brings
                back.
            deleted: deleted secrets, with everything known of them but their lines in the audit trail.
            dry_run: remove nothing, and give what would be.

        Returns:
            What was removed.

        Raises:
            InvalidRequest: an argument is malformed.
            SecretNotFound: there never was a secret of this name here.
            SecretExists: ``deleted`` alone is asked for, and the secret is not deleted.
            VaultDamaged: the history is not what was written.
            VaultError: the vault cannot be opened or written. Where ``applied`` is None a part was removed;
                purging again goes on with the rest.
        """
        _refuse([] if name is None else _text("name", name))
        return self._vault().purge(
            name, older_versions=bool(older_versions), deleted=bool(deleted), dry_run=bool(dry_run)
        )

    def location(self) -> Path | None:
        """Give the vault's file, be it there or not; None where it is on PostgreSQL. Nothing is opened."""
        return self._opening.file()

    def key_file(self) -> Path | None:
        """Give the key file that opens it, be it there or not; None where another credential does."""
        return self._opening.key_file()

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

    @property
    def slots(self) -> Slots:
        """The ways into the vault: list, add, change and remove them."""
        return Slots(self._vault)

    def rekey(self, *, progress: Callable[[int, int], object] | None = None, batch: int = 100) -> None:
        """Encrypt everything in the vault anew, under a new data key, while others go on reading and writing.

        May be broken off at any moment, by a kill too: the vault is whole, and the next call goes on where
        this one stopped. The slots stay. It revokes nothing by itself: ``rotate_root()`` before it does.

        Args:
            progress: called with how much is done and how much there is, in the calling thread or the worker
                thread that does it; what it raises breaks off.
            batch: how many rows are encrypted in one transaction, 1 to 10,000. Others wait for one at most.

        Raises:
            InvalidRequest: the batch is malformed.
            VaultLocked: the vault's root key was replaced since it was opened here.
            VaultDamaged: something in the vault is not what was written; it is left as it is.
            VaultError: the vault cannot be opened or written; where ``applied`` is None it has begun.
        """
        _refuse(_number("batch", batch, 1, 10_000))
        self._vault().rekey(progress=progress, batch=batch)

    def rotate_root(
        self, keep: Sequence[Credential], *, consent: Sequence[int | str] = (), dry_run: bool = False
    ) -> list[SlotInfo]:
        """Give the vault a new root key: only slots whose credential is given here open it from then on.

        Whoever has the vault open keeps what it has until a data key is made; then it has to open it again.
        What was encrypted before stays under the old data key: ``rekey()`` after this revokes.

        Args:
            keep: credentials whose slots stay, account keys among them; each costs its key derivation twice.
            consent: numbers or labels of the slots that may be dropped, all of them.
            dry_run: do all but the change; a refusal is noted in the audit trail all the same.

        Returns:
            The slots that are left, or would be.

        Raises:
            InvalidRequest: an argument is malformed, or the consent names a slot that is kept or not there.
            VaultLocked: a credential opens no slot, or the root key was replaced since the vault was opened.
            VaultError: a slot would be dropped without consent, none of the owner's would be left, or the
                vault cannot be opened or written.
        """
        _refuse(kept_violations(keep) + consent_violations(consent))
        return self._vault().rotate_root(keep, consent, dry_run=bool(dry_run))

    @property
    def environments(self) -> Environments:
        """The vault's environments: list, add and rename them."""
        return Environments(self._vault)

    @property
    def principals(self) -> Principals:
        """Users and service accounts, and what they may do."""
        return Principals(self._vault)

    def share(self, name: str, *, drop: Collection[str] = ()) -> Secret:
        """Make this environment's value of a secret everybody's: one value in all environments from now on.

        The values of the other environments stay in the history. If they differ (value, description, active
        or expiry), consent to their loss is asked for.

        Args:
            name: the secret's name.
            drop: names of environments whose differing values may be lost.

        Returns:
            The shared version, without its value.

        Raises:
            InvalidRequest: it is shared already, or the value of an environment that is not in ``drop`` would
                be lost; ``violations`` names each.
            SecretNotFound: there is no such secret in this environment.
            SecretLocked: it is protected in some environment.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written; ``applied`` says whether it was done.
        """
        _refuse(_text("name", name) + _names("drop", drop))
        return secret_of(self._vault().share(name, drop), told=False)

    def unshare(self, name: str) -> Secret:
        """Make a shared secret environment-specific: every environment gets a copy of the value as its own.

        Args:
            name: the secret's name.

        Returns:
            This environment's new version, without its value.

        Raises:
            InvalidRequest: it is environment-specific already.
            SecretNotFound: there is no such secret.
            SecretLocked: it is protected.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written; ``applied`` says whether it was done.
        """
        _refuse(_text("name", name))
        return secret_of(self._vault().unshare(name), told=False)

    def describe(self, name: str) -> SecretInfo:
        """Tell whether a secret is shared, which environments see a value of it, and where it is protected.

        Args:
            name: the secret's name.

        Raises:
            InvalidRequest: the name is malformed.
            SecretNotFound: no environment has a value of it.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or read.
        """
        _refuse(_text("name", name))
        return self._vault().describe(name)

    def set_audit_reads(self, mode: Literal["off", "batched", "durable"]) -> None:
        """Say whether the audit trail tells of reading and listing, in every process that has the vault open.

        Args:
            mode: "off", as in a new vault; "durable", each line on the disk before the value is handed out;
                or "batched", written together: a crash loses the last 1,000 lines or 5 seconds at most.

        Raises:
            InvalidRequest: it is none of the three.
            GrantMissing: this needs the permission ``administer``.
            VaultError: the vault cannot be opened or written.
        """
        if mode not in {"off", "batched", "durable"}:
            remedy = "off, batched or durable"
            raise InvalidRequest(violations=[Violation("mode", "is no way to audit reading", remedy)])
        self._vault().set_audit_reads(mode)

    def move_to(
        self, location: str | os.PathLike[str], *, progress: Callable[[int, int], object] | None = None
    ) -> Verified:
        """Copy the whole vault, as it is at one moment, to where there is none: a file, or PostgreSQL.

        History, slots, grants, audit trail and keys are the same there, and the same credentials open it. It
        is one transaction, verified before it is committed. This vault is left as it is, but for a line in
        the audit trail of both: stop its writers first, and retire it afterwards.

        Args:
            location: a path, or ``postgresql://…`` (docs/postgresql.md).
            progress: called now and then with the rows that are copied and the rows in all; it must not use
                this object, and is in a worker thread where the vault is asynchronous.

        Returns:
            How many names, values and lines of the audit trail were found whole at the new place.

        Raises:
            InvalidRequest: the location is malformed.
            VaultDamaged: the copy is not whole, because the vault is not; nothing was left there.
            VaultFull: no room for it.
            VaultError: there is a vault already, or the place cannot be used; ``applied`` None means that it
                may be there now.
        """
        place = place_of(location)
        return self._vault().move_to(place, progress)


def _refuse(wrong: list[Violation]) -> None:
    if wrong:
        raise InvalidRequest(violations=wrong)


def _text(argument: str, given: object) -> list[Violation]:
    if isinstance(given, str) and given:
        return []
    return [Violation(argument, "is not a text, or empty", "give the secret's")]


def _names(argument: str, given: object) -> list[Violation]:
    if isinstance(given, str):
        return [Violation(argument, "is one text, not several", f"write [{given!r}]")]
    return []


def _number(argument: str, given: object, least: int, most: int | None = None) -> list[Violation]:
    if isinstance(given, int) and not isinstance(given, bool) and given >= least:
        if most is None or given <= most:
            return []
        return [Violation(argument, f"is {given}", f"at most {most}")]
    return [Violation(argument, f"is not a whole number from {least}", "take it from what the vault told")]
