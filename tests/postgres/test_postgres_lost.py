"""Connections that are lost at the worst moments: what was committed is told, and nothing is guessed."""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from secretbridge.errors import VaultBusy, VaultError

if TYPE_CHECKING:
    from collections.abc import Callable

    from postgres_place import Cut, Spot, Text, Wire

    from secretbridge._vault import Vault
    from secretbridge._vault._rows import Rows

    Wrap = Callable[[str], Text]

pytest_plugins = ("postgres_place",)


def through(wire: Wire, spot: Spot, busy_timeout: float = 10) -> Vault:
    """The vault, opened over the wire."""
    url = spot.url(host="127.0.0.1", port=wire.port)
    return spot.open(url=url, busy_timeout=busy_timeout)


def test_a_commit_whose_answer_was_lost_is_found_to_be_made(spot: Spot, wire: Wire, text: Wrap) -> None:
    with closing(through(wire, spot)) as vault:
        vault.create("KEY", {"value": text("v")})
        wire.cut = "after"
        told = vault.update({"value": text("w")}, name="KEY")
        assert (told.version, told.value, wire.cuts) == (2, "w", 1)
        assert vault.get(name="KEY") == told
        assert vault.update({"value": text("x")}, name="KEY").version == 3
        assert vault.verify().entries == 4


def test_a_commit_that_never_arrived_is_found_not_to_be_made(spot: Spot, wire: Wire, text: Wrap) -> None:
    with closing(through(wire, spot)) as vault:
        vault.create("KEY", {"value": text("v")})
        wire.cut = "before"
        with pytest.raises(VaultError) as caught:
            vault.update({"value": text("w")}, name="KEY")
        assert (caught.value.applied, caught.value.transient, caught.value.__context__) == (False, True, None)
        assert vault.get(name="KEY").version == 1
        assert vault.update({"value": text("w")}, name="KEY").version == 2
        assert (wire.cuts, vault.verify().entries) == (1, 3)


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_commit_that_cannot_be_looked_up_is_not_known(spot: Spot, wire: Wire, text: Wrap, cut: Cut) -> None:
    with closing(through(wire, spot, busy_timeout=0.3)) as vault:
        vault.create("KEY", {"value": text("v")})
        wire.cut, wire.refuses_after = cut, True
        with pytest.raises(VaultError) as caught:
            vault.update({"value": text("w")}, name="KEY")
        assert (caught.value.applied, caught.value.__context__) == (None, None)
        wire.refusing = False
        assert vault.get(name="KEY").value == ("w" if cut == "after" else "v")
        vault.verify()


def test_a_commit_still_on_its_way_is_not_taken_for_lost(spot: Spot, wire: Wire, text: Wrap) -> None:
    # The server holds the transaction open: the commit may yet arrive, so absence proves nothing.
    with closing(through(wire, spot, busy_timeout=0.3)) as vault:
        vault.create("KEY", {"value": text("v")})
        writer = spot.pid(vault, "_writer")
        wire.cut = "limbo"
        begin = time.monotonic()
        with pytest.raises(VaultError) as caught:
            vault.update({"value": text("w")}, name="KEY")
        assert caught.value.applied is None
        assert time.monotonic() - begin < 5
        with pytest.raises(VaultBusy) as busy:  # its turn goes on
            vault.update({"value": text("x")}, name="KEY")
        assert (busy.value.applied, busy.value.transient) == (False, True)
        spot.kill(writer)
        assert vault.update({"value": text("x")}, name="KEY").version == 2


def test_a_creation_whose_answer_was_lost_is_found_to_be_made(spot: Spot, wire: Wire, text: Wrap) -> None:
    wire.cut = "after"
    with closing(through(wire, spot)) as vault:
        vault.create("KEY", {"value": text("v")})
        assert (wire.cuts, vault.verify()) == (1, (1, 1, 2))


@pytest.mark.parametrize(("refuses_after", "applied"), [(False, False), (True, None)])
def test_a_creation_that_never_arrived_says_what_is_known(
    spot: Spot, wire: Wire, *, refuses_after: bool, applied: bool | None
) -> None:
    wire.cut, wire.refuses_after = "before", refuses_after
    with pytest.raises(VaultError) as caught:
        through(wire, spot, busy_timeout=0.3)
    assert (caught.value.applied, caught.value.transient) == (applied, True)
    wire.refusing = False
    with closing(through(wire, spot)) as vault:  # the key file that was made for it serves
        assert vault.verify() == (0, 0, 1)


def test_reading_goes_on_over_a_new_connection(spot: Spot, vault: Vault, text: Wrap) -> None:
    made = vault.create("KEY", {"value": text("v")})
    reads: list[Callable[[], object]] = [
        lambda: vault.get(name="KEY"),
        lambda: vault.get(id=made.id),
        lambda: vault.list()[0][0].name,
        vault.verify,
    ]
    answers = []
    for read in reads:
        spot.kill(spot.pid(vault, "_reader"))
        answers.append(read())
    assert answers == [made, made, "KEY", (1, 1, 2)]


def test_a_read_is_tried_once_more_and_no_oftener(spot: Spot, wire: Wire, text: Wrap) -> None:
    with closing(through(wire, spot)) as vault:
        vault.create("KEY", {"value": text("v")})
        wire.refusing = True
        spot.kill(spot.pid(vault, "_reader"))
        for _ in range(2):
            with pytest.raises(VaultError) as caught:
                vault.get(name="KEY")
            assert (caught.value.applied, caught.value.transient, caught.value.__context__) == (
                False,
                True,
                None,
            )
        wire.refusing = False
        assert vault.get(name="KEY").value == "v"


def test_a_write_after_the_server_ended_the_idle_connection_is_made(
    spot: Spot, vault: Vault, text: Wrap
) -> None:
    vault.create("KEY", {"value": text("v")})
    spot.kill(spot.pid(vault, "_writer"))
    assert vault.update({"value": text("w")}, name="KEY").version == 2


def test_a_connection_lost_before_the_commit_means_not_applied(spot: Spot, vault: Vault, text: Wrap) -> None:
    vault.create("KEY", {"value": text("v")})

    def work(rows: Rows) -> None:
        rows.state()
        spot.kill(spot.pid(vault, "_writer"))
        rows.state()

    with pytest.raises(VaultError) as caught:
        spot.store(vault).transact(os.urandom(16), work)
    assert (caught.value.applied, caught.value.transient, caught.value.__context__) == (False, True, None)
    assert vault.update({"value": text("w")}, name="KEY").version == 2


def test_a_server_that_restarts_is_found_again(spot: Spot, vault: Vault, text: Wrap) -> None:
    vault.create("KEY", {"value": text("v")})
    spot.server.stop(signal.SIGQUIT)  # as a crash
    with pytest.raises(VaultError, match="cannot be reached") as caught:
        vault.update({"value": text("w")}, name="KEY")
    assert (caught.value.applied, caught.value.transient) == (False, True)
    spot.server.start()
    assert vault.get(name="KEY").value == "v"
    assert vault.update({"value": text("w")}, name="KEY").version == 2
    assert vault.verify() == (1, 1, 3)
