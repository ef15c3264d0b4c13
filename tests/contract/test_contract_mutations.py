"""The contract notices: each adapter that is broken on purpose fails the test that says why."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from contract_mutation import Mutation
from contract_mutations_stores import (
    RECORDING,
    Consenting,
    Fixed,
    Gathers,
    Numbered,
    TurnsCancellation,
    Versioned,
    from_recording,
    versioned,
)
from contract_subjects import local
from contract_table import BY_RECORDING, MUTATIONS, table
from larder_subject import larder
from secretbridge_larder import Larder

from secretbridge import Local, errors
from secretbridge.errors import SecretProtected
from secretbridge.testing import ProviderContract, Reply, Subject
from secretbridge.testing._contract._place import Call, open_place

SEALED = {"a sealed shelf": (Reply(423, json={"code": "sealed"}), SecretProtected)}
GUIDE = Path(__file__).parents[2] / "docs" / "adapter-mutations.md"


def contract_for(mutation: Mutation, folder: Path, subject: Any = None, **settings: Any) -> ProviderContract:
    """The contract as Larder's own tests have it, over another adapter."""
    kind = mutation.kind

    class Contract(ProviderContract):
        capabilities = Larder.capabilities if kind.__name__ == "OtherCapabilities" else kind.capabilities
        refusals = SEALED
        recording = settings.get("recording", mutation.settings.get("recording"))
        unique_names = mutation.settings.get("unique_names", True)

        def make(self) -> Subject:
            return (subject or mutation.subject)(kind)

    contract = Contract()
    contract.tmp_path = folder
    return contract


class TestLarder(ProviderContract):
    """The adapter that the broken ones are made of keeps the contract."""

    capabilities = Larder.capabilities
    refusals = SEALED

    def make(self) -> Subject:
        return larder()


@pytest.mark.parametrize("face", ["sync", "asyncio", "trio"])
def test_good_adapters_of_stores_that_larder_is_not_pass_the_tests_that_it_does_not_have(
    face: Any, tmp_path: Path
) -> None:
    counts = Mutation("", "", Versioned, "", subject=versioned)
    shares = Mutation("", "", Larder, "", settings={"unique_names": False})
    keeps = Mutation("", "", Consenting, "")
    contracts: list[Any] = [contract_for(one, tmp_path) for one in (counts, shares, keeps)]
    contracts[0].test_a_change_of_another_version_is_a_conflict(face)
    contracts[1].test_a_name_that_several_bear_is_ambiguous_and_the_error_tells_their_ids(face)
    contracts[2].test_what_cannot_be_taken_back_needs_consent(face)


@pytest.mark.parametrize("face", ["sync", "asyncio", "trio"])
def test_good_adapters_that_can_do_less_or_wait_otherwise_pass_too(face: Any, tmp_path: Path) -> None:
    fixed, numbered, gathers = (
        contract_for(Mutation("", "", kind, ""), tmp_path) for kind in (Fixed, Numbered, Gathers)
    )
    fixed.test_a_name_of_every_alphabet_that_the_limits_allow_is_kept_as_it_is(face)
    numbered.test_a_text_is_kept_at_its_limits_and_refused_just_past_them(face)
    gathers.test_nothing_is_waited_for_but_the_channel(face)


@pytest.mark.parametrize("face", ["sync", "asyncio", "trio"])
def test_an_interruption_that_comes_out_as_another_error_is_told_with_its_class(
    face: Any, tmp_path: Path
) -> None:
    contract = contract_for(Mutation("", "", TurnsCancellation, ""), tmp_path)
    with pytest.raises(AssertionError, match=r"raised KeyError instead of letting (the canc|Keyb)"):
        contract.test_a_call_can_be_broken_off_at_every_wait_and_the_bridge_goes_on(face)


def test_an_error_that_cannot_be_pickled_is_told(tmp_path: Path) -> None:
    class AbsentError(errors.SecretNotFound):
        """Found by no importer, here within a function."""

    class Unpickled(Larder):
        async def _ask(self, *given: Any, **named: Any) -> Any:
            raise AbsentError("no such secret", provider="larder", operation="get")

    contract = contract_for(Mutation("", "", Unpickled, ""), tmp_path)
    with pytest.raises(AssertionError, match="its error cannot be pickled"):
        contract.test_a_failure_in_the_store_shows_neither_value_nor_credential("sync")


@pytest.mark.parametrize(
    "test",
    [
        "test_a_refusal_that_repeats_value_and_credential_shows_neither",
        "test_the_pause_that_a_store_asks_for_is_kept_and_no_other",
    ],
)
def test_a_store_without_a_transport_has_to_say_so(test: str, tmp_path: Path) -> None:
    class Contract(ProviderContract):
        capabilities = Local.capabilities

        def make(self) -> Subject:
            return local(self.tmp_path / "vaults")

    contract: Any = Contract()
    contract.tmp_path = tmp_path
    with pytest.raises(AssertionError, match=r"must give a transport, or the class say `uses_http = False`"):
        getattr(contract, test)("sync")


@pytest.mark.parametrize("face", ["sync", "asyncio", "trio"])
def test_calls_side_by_side_that_fail_each_have_their_error(face: Any) -> None:
    with open_place(larder(), face, None) as place:
        ended = place.side_by_side([Call("get_secret", (name,)) for name in ("ONE", "TWO")])
    assert [type(outcome.error) for outcome in ended] == [errors.SecretNotFound] * 2
    assert ["ONE" in str(ended[0].error), "TWO" in str(ended[1].error)] == [True, True]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_an_adapter_that_is_broken_on_purpose_is_caught_by_the_test_that_says_why(
    mutation: Mutation, tmp_path: Path
) -> None:
    for face in mutation.faces:
        contract = contract_for(mutation, tmp_path)
        with pytest.raises(AssertionError, match=mutation.says):
            getattr(contract, mutation.test)(face)


@pytest.mark.parametrize("name", BY_RECORDING)
def test_recorded_replies_alone_find_out_a_broken_adapter_too(name: str, tmp_path: Path) -> None:
    (mutation,) = (one for one in MUTATIONS if str(one) == name)
    contract = contract_for(mutation, tmp_path, from_recording, recording=RECORDING)
    with pytest.raises(AssertionError):
        getattr(contract, BY_RECORDING[name])(mutation.faces[0])


def test_at_least_twenty_five_adapters_are_broken_each_in_its_own_way() -> None:
    assert len({mutation.broken for mutation in MUTATIONS}) == len(MUTATIONS) >= 25


def test_no_test_of_the_contract_is_without_an_adapter_that_fails_it() -> None:
    tests = {name for name in dir(ProviderContract) if name.startswith("test_")}
    assert {mutation.test for mutation in MUTATIONS} == tests


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
    assert len(blocks) == 7
