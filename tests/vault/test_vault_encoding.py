"""What is sealed has one encoding, and what is none is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from secretbridge._vault import Record, _crypto, _policy, _records
from secretbridge.errors import VaultDamaged

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
RECORD = Record(
    id="ab" * 16,
    name="KEY",
    value="v",
    description=None,
    active=True,
    protected=False,
    expires_at=None,
    created_at=MOMENT,
    updated_at=MOMENT,
    version=3,
)
ENTRY = _records.Entry(
    sequence=1,
    at=2,
    operation=_records.UPDATE,
    operation_id=b"o" * 16,
    secret=b"s" * 16,
    environment=1,
    version=3,
    previous=0,
    fields=32,
    name="NEW",
    old_name="OLD",
    moved=_records.Moved(b"m" * 16, 4, 5),
)
POLICY = _policy.Policy(
    environments={"a": 1, "\u00fc": 70000},
    principals=(
        _policy.Principal(
            id="0" * 32,
            name="deploy",
            kind="service",
            roles=("reader",),
            permissions=("list",),
            environments=(1,),
            expires_at=1,
        ),
        _policy.Principal(id="1" * 32, name="anna", kind="user"),
    ),
    keep_versions=5,
    keep_days=30,
    audit_reads="batched",
)
STATE = _records.State(b"v" * 16, 1, 1, 7, b"c" * 32, 3, 4, (1 << 256) - 1, 9)


def test_records_entries_states_and_policies_come_back_as_they_were() -> None:
    plain = _records.encode_record(RECORD, 4)
    assert _records.decode_record(plain, bytes.fromhex(RECORD.id), 4) == RECORD
    assert _records.decode_entry(_records.encode_entry(ENTRY)) == ENTRY
    assert _records.decode_state(_records.encode_state(STATE)) == STATE
    assert _policy.decode(_policy.encode(POLICY)) == POLICY
    assert _policy.decode(_policy.encode(_policy.Policy())) == _policy.Policy()


@pytest.mark.parametrize("plain", [b"", b"null", b"[]", b"{}", b'{"environments":{}}', b"\xff"])
def test_what_is_no_policy_is_refused(plain: bytes) -> None:
    with pytest.raises(VaultDamaged):
        _policy.decode(plain)


def test_a_record_of_another_environment_is_refused() -> None:
    with pytest.raises(VaultDamaged):
        _records.decode_record(_records.encode_record(RECORD, 4), bytes(16), 1)


@pytest.mark.parametrize(
    "change",
    [lambda plain: plain[:-1], lambda plain: plain + b"x", lambda plain: b"\x09" + plain[1:], lambda _: b""],
)
def test_what_is_no_encoding_is_refused(change: object) -> None:
    assert callable(change)
    with pytest.raises(VaultDamaged):
        _records.decode_record(change(_records.encode_record(RECORD, 4)), bytes(16), 4)
    with pytest.raises(VaultDamaged):
        _records.decode_entry(change(_records.encode_entry(ENTRY)))


def test_a_state_of_another_length_or_format_is_refused() -> None:
    plain = _records.encode_state(STATE)
    for changed in (plain[:-1], b"\x09" + plain[1:]):
        with pytest.raises(VaultDamaged):
            _records.decode_state(changed)


def test_two_places_never_have_the_same_associated_data() -> None:
    vault = b"v" * 16
    places = {
        _crypto.place(vault, kind, owner, environment, version, epoch)
        for kind in (_crypto.CURRENT, _crypto.HISTORY)
        for owner in (b"a" * 16, b"b" * 16)
        for environment in (1, 2)
        for version in (1, 2)
        for epoch in (1, 2)
    }
    assert (len(places), {len(place) for place in places}) == (32, {53})


@pytest.mark.parametrize("version", [-1, 1 << 64, "1", None, 1.0])
def test_a_column_that_holds_what_was_never_written_is_damage(version: object) -> None:
    with pytest.raises(VaultDamaged):
        _crypto.place(b"v" * 16, _crypto.CURRENT, b"a" * 16, 1, version, 1)  # type: ignore[arg-type] # as a changed file may hold it
    with pytest.raises(VaultDamaged):
        _crypto.packed(_crypto._PLACE, version)
