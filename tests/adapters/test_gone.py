"""What is gone or not found where no secret was asked for: a wrong address, not an absent secret."""

from __future__ import annotations

import pytest
from adapter_cases import MANAGED, Case, insforge, scripted

from secretbridge import WrongAddress
from secretbridge.testing import answer


@pytest.mark.parametrize("case", MANAGED, ids=str)
def test_a_listing_that_is_gone_does_not_mean_that_a_secret_was_deleted(case: Case) -> None:
    _, bridge = scripted(case.provider(None), answer(410, body=b""), retry=None)
    with pytest.raises(WrongAddress) as caught:
        bridge.delete_secret("EXISTING", missing_ok=True)
    assert (caught.value.status, caught.value.applied) == (410, False)


@pytest.mark.parametrize("case", MANAGED, ids=str)
def test_a_create_that_is_answered_with_gone_went_to_a_wrong_address(case: Case) -> None:
    _, bridge = scripted(case.provider(None), answer(410, body=b""), retry=None)
    with pytest.raises(WrongAddress):
        bridge.create_secret("NEW", value="new-value")


@pytest.mark.parametrize("code", ["SECRET_NOT_FOUND", "NOT_FOUND"])
def test_a_listing_that_insforge_does_not_find_is_at_a_wrong_address(code: str) -> None:
    refused = answer(404, {"error": code, "message": "no", "statusCode": 404})
    _, bridge = scripted(insforge(), refused, retry=None)
    with pytest.raises(WrongAddress):
        bridge.list_secrets()
