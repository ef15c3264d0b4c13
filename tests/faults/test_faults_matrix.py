"""Every fault has the outcome that docs/faults.md tells, and the state agrees; here by a fixed choice.

The whole takes a quarter of an hour: ``python benchmarks/faults.py``.
"""

from __future__ import annotations

import re

import pytest
from fault_calls import SERVICES
from fault_matrix import EXCHANGES, FACES, FAULTS, cells, run
from fault_table import DOCUMENT, expected, word, written

#: In CI one cell in so many is run, in one of the six variants.
ONE_IN = 36


@pytest.mark.parametrize("provider", SERVICES)
@pytest.mark.parametrize("variant", range(6))
def test_a_fault_has_its_outcome_and_the_stand_ins_state_agrees(provider: str, variant: int) -> None:
    chosen = cells(provider, variant, ONE_IN)
    wanted = expected()
    found = run(FACES[variant // 2], provider, chosen)
    assert {cell: (wanted[cell], []) for cell in chosen} == {
        cell: (word(outcome), wrong) for cell, (outcome, wrong) in found.items()
    }


def test_every_fault_is_met_in_the_choice_and_every_exchange_too() -> None:
    chosen = [cell for name in SERVICES for variant in range(6) for cell in cells(name, variant, ONE_IN)]
    assert {cell.fault for cell in chosen} == set(FAULTS)
    assert {cell.exchange for cell in chosen} == set(EXCHANGES)
    assert len(chosen) == len(set(chosen))


def test_an_outcome_is_expected_for_every_cell() -> None:
    whole = {cell for name in SERVICES for variant in range(2) for cell in cells(name, variant, 1)}
    assert set(expected()) == whole


def test_the_document_has_the_tables_of_the_tests() -> None:
    document = DOCUMENT.read_text()
    assert document == written(document)
    counts = re.search(r"(\d+) faults × (\d+) requests", document)
    assert counts is not None
    assert [int(count) for count in counts.groups()] == [len(FAULTS), len(EXCHANGES)]
