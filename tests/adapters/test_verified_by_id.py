"""A change that is named by id is read back as well as one that is named by name."""

from __future__ import annotations

from adapter_cases import opened, wix

from secretbridge.testing import WixStandIn


def test_a_value_that_was_changed_by_id_is_verified() -> None:
    standin = WixStandIn()
    id_ = standin.seed("EXISTING", "old-value").id
    with opened(wix(standin), standin) as bridge:
        changed = bridge.update_secret(id=id_, value="new-value", verify=True)
    assert (changed.verified, changed.name, changed.reveal()) == (True, "EXISTING", "new-value")
    assert [call for call in standin.calls if call.endswith("/name/")] == []
