"""Every operation on an open vault goes through here: who asks, whether it may, and what the trail says."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from secretbridge._vault import _decisions, _outcomes, _reads, _records, _sealed
from secretbridge._vault._change import Change, Known
from secretbridge._vault._crypto import NOWHERE, damaged
from secretbridge._vault._decisions import ADMINISTERING, Act, Standing
from secretbridge._vault._keys import following
from secretbridge._vault._permissions import OWNER_ID
from secretbridge._vault._reads import Line
from secretbridge._vault._records import Record
from secretbridge.errors import SecretBridgeError, VaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from secretbridge._vault._keys import Keyring
    from secretbridge._vault._permissions import Rights
    from secretbridge._vault._policy import Policy
    from secretbridge._vault._rows import Rows
    from secretbridge._vault._storage import Store

T = TypeVar("T")

#: Operations that change nothing: in the trail as ``audit_reads`` says.
_READINGS: Final = frozenset(
    {_records.READ, _records.LISTED, _records.LOOKED_BACK, _records.AUDIT_READ, _records.OPENED}
)
#: What each of many secrets that are read together is noted as.
READING: Final = Act(_records.READ, "get")
#: Characters of a name that the trail keeps of what was refused.
_NAME_KEPT: Final = 1024


class Decided:
    """An open vault in one of its environments, as one principal.

    Args:
        store: where its rows are.
        keyring: its keys.
        environment: the number of the environment.
        policy: its policy at the moment.
        principal: the id of whoever opened it; zeros for the owner.
    """

    def __init__(
        self,
        store: Store,
        keyring: Keyring,
        environment: int,
        policy: Policy,
        principal: bytes = OWNER_ID,
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._environment = environment
        self._principal = principal
        # Replaced whole, so that threads see an old one or a new one. No policy has the number 0.
        self._standing: Standing = _decisions.standing(0, policy, principal, environment)
        self._last_state: Known | None = None
        self._waiting = _reads.Batch()

    @property
    def _policy(self) -> Policy:
        return self._standing.policy

    def close(self) -> None:
        """Write what waits for the audit trail, and close the file; closing twice is closing once."""
        self._flush()
        self._store.close()

    # Deciding

    def _snapshot(self, work: Callable[[Rows], T]) -> T:
        """Run ``work`` on rows that nothing changes meanwhile, under the data keys that they are under."""
        return self._store.snapshot(lambda rows: following(rows, self._keyring, work))

    def _renew(self) -> Standing:
        """What holds now, whichever process changed it."""
        return self._snapshot(self._standing_in)

    def _standing_in(self, rows: Rows) -> Standing:
        policy_epoch = _sealed.open_state(self._keyring, rows.state()).policy_epoch
        row = rows.policy()
        if row is None or row[0] != policy_epoch:
            raise damaged()
        return self._standing_at(rows, policy_epoch)

    def _standing_at(self, rows: Rows, policy_epoch: int) -> Standing:
        standing = self._standing
        if standing.epoch != policy_epoch:
            policy = _decisions.read_policy(rows, self._keyring, policy_epoch)
            standing = _decisions.standing(policy_epoch, policy, self._principal, self._environment)
            self._standing = standing
        return standing

    def _check(self, act: Act, rights: Rights | None) -> Rights:
        admitted = _decisions.admit(rights, self._environment, act.word)
        if act.needs:
            _decisions.require(admitted, act.word, *act.needs, name=act.name)
        return admitted

    # Operations

    def _look(self, act: Act, work: Callable[[Rows], T], *, noted: bool = True) -> T:
        """Read in one snapshot, if it may be read.

        Args:
            act: what is asked for.
            work: reads the rows.
            noted: whether the audit trail says that it was done, where reading is audited.
        """

        def inside(rows: Rows) -> T:
            self._check(act, self._standing_in(rows).rights)
            return work(rows)

        return self._decided(act, lambda: self._snapshot(inside), noted=noted)

    def _write(self, work: Callable[[Change, bytes], T], act: Act = ADMINISTERING) -> T:
        """Write in one transaction, if it may be written; a refusal is a line in the audit trail.

        Args:
            work: changes what it is given.
            act: what is asked for; without it, only who administers may.
        """
        operation_id = _sealed.new_id()
        lines: list[Line] = []

        def inside(rows: Rows) -> T:
            change = self._change(rows)
            standing = self._standing_at(rows, change.state.policy_epoch)
            change.policy, change.rights = standing.policy, self._check(act, standing.rights)
            lines.extend(self._waiting.take())
            _reads.write_all(change, lines)
            result = work(change, operation_id)
            self._last_state = change.finish()
            return result

        written = False
        refusal: SecretBridgeError
        try:
            result = self._store.transact(operation_id, inside)
            written = True
        except _outcomes.REFUSALS as error:
            refusal = error
        else:
            return result
        finally:
            if not written:  # pragma: no branch - what was written has been returned
                self._waiting.give_back(lines, self._flush)
        self._refused(act, refusal)
        raise refusal

    def _decided(self, act: Act, work: Callable[[], T], *, noted: bool = True) -> T:
        refusal: SecretBridgeError
        try:
            result = work()
        except _outcomes.REFUSALS as error:
            refusal = error
        else:
            if noted and self._policy.audit_reads != "off":
                self._keep([self._line(act, result if isinstance(result, Record) else None)])
            return result
        self._refused(act, refusal)
        raise refusal

    # The audit trail

    def _refused(self, act: Act, refusal: SecretBridgeError, outcome: int | None = None) -> None:
        """Note a refusal; what cannot be noted must not hide it."""
        line = self._line(act, None, outcome or _outcomes.number(refusal))
        with suppress(VaultError):
            if act.operation not in _READINGS or isinstance(refusal, _outcomes.DENIALS):
                self._append([line])
            elif self._policy.audit_reads != "off":
                self._keep([line])

    def _line(self, act: Act, record: Record | None, outcome: int = _records.DONE) -> Line:
        if record is not None:
            name, secret, version = record.name, bytes.fromhex(record.id), record.version
        else:
            secret, version = _records.id_bytes(act.id) or NOWHERE, 0
            about_secret = act.name is not None or act.id is not None or act.operation in _READINGS
            name = (act.name or "")[:_NAME_KEPT] if about_secret else act.word
        return Line(
            act.operation, name, secret, self._environment, version, act.fields, outcome, _sealed.now()
        )

    def _note_reads(self, records: Iterable[Record]) -> None:
        """Note that these were read together, where reading is audited."""
        if self._policy.audit_reads != "off":
            self._keep([self._line(READING, record) for record in records])

    def _keep(self, lines: list[Line]) -> None:
        """Write them in one transaction, or together with what comes later, as ``audit_reads`` says."""
        if self._policy.audit_reads == "durable" and lines:
            self._append(lines)
        else:
            for line in lines:
                self._waiting.add(line, self._flush)

    def _flush(self) -> None:
        """Write what waits; what cannot be written waits on."""
        lines = self._waiting.take()
        if not lines:
            return
        written = False
        try:
            with suppress(VaultError):
                self._append(lines)
                written = True
        finally:
            if not written:
                self._waiting.give_back(lines)

    def _append(self, lines: list[Line]) -> None:
        operation_id = _sealed.new_id()

        def inside(rows: Rows) -> None:
            change = self._change(rows)
            _reads.write_all(change, lines, operation_id)
            self._last_state = change.finish()

        self._store.transact(operation_id, inside)

    def _change(self, rows: Rows) -> Change:
        known, self._last_state = self._last_state, None  # what fails half-way must not leave it changed
        change = Change(rows, self._keyring, self._environment, known)
        change.principal = self._principal
        return change
