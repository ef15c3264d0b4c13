"""The contract notices: each adapter that is broken on purpose fails the test that says why."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from contract_mutations import MUTATIONS, Mutation, table
from larder_subject import larder
from secretbridge_larder import Larder

from secretbridge.errors import SecretProtected
from secretbridge.testing import ProviderContract, Reply, Subject

if TYPE_CHECKING:
    from secretbridge_larder import Larder as Kind

SEALED = {"a sealed shelf": (Reply(423, json={"code": "sealed"}), SecretProtected)}
GUIDE = Path(__file__).parents[2] / "docs" / "adapter-mutations.md"


def contract_for(kind: type[Kind], folder: Path) -> ProviderContract:
    """The contract as Larder's own tests have it, over another adapter."""

    class Contract(ProviderContract):
        capabilities = Larder.capabilities if kind.__name__ == "OtherCapabilities" else kind.capabilities
        refusals = SEALED

        def make(self) -> Subject:
            return larder(kind)

    contract = Contract()
    contract.tmp_path = folder
    return contract


class TestLarder(ProviderContract):
    """The adapter that the broken ones are made of keeps the contract."""

    capabilities = Larder.capabilities
    refusals = SEALED

    def make(self) -> Subject:
        return larder()


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_an_adapter_that_is_broken_on_purpose_is_caught_by_the_test_that_says_why(
    mutation: Mutation, tmp_path: Path
) -> None:
    for face in mutation.faces:
        contract = contract_for(mutation.kind, tmp_path)
        with pytest.raises(AssertionError, match=mutation.says):
            getattr(contract, mutation.test)(face)


def test_at_least_twenty_five_adapters_are_broken_each_in_its_own_way() -> None:
    assert len({mutation.broken for mutation in MUTATIONS}) == len(MUTATIONS) >= 25


def test_each_test_of_the_contract_that_an_adapter_can_fail_has_failed_for_one() -> None:
    # These refuse by the capabilities, before the adapter is asked: no adapter can fail them.
    by_core = {
        "test_a_name_beyond_the_limits_is_refused_before_anything_is_sent",
        "test_a_refusal_before_sending_shows_neither_value_nor_credential",
        "test_a_version_is_refused_where_there_is_no_compare_and_set",
        "test_each_field_that_cannot_be_changed_or_cleared_is_refused_before_anything_is_sent",
    }
    collected = {name for name in dir(TestLarder) if name.startswith("test_") and getattr(TestLarder, name)}
    assert {mutation.test for mutation in MUTATIONS} == collected - by_core


def test_the_table_in_the_docs_is_the_one_that_the_mutations_make() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    found = re.search(r"<!-- table: begin[^>]*-->\n\n(.*?)\n<!-- table: end -->", text, re.DOTALL)
    assert found, "docs/adapter-mutations.md has no table between its two comments"
    assert found[1] == table()


def test_what_the_guide_shows_of_the_example_is_the_example() -> None:
    example = GUIDE.parents[1] / "examples" / "secretbridge-larder"
    files = [
        path.read_text(encoding="utf-8")
        for path in sorted(example.rglob("*.*"))
        if path.suffix in {".py", ".toml"}
    ]
    text = GUIDE.with_name("adapter-guide.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:python|py|text|toml)\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)
    pieces = [piece for block in blocks for piece in block.split("\n\n\n")]
    assert [piece for piece in pieces if not any(piece in file for file in files)] == []
    assert len(blocks) == 6
