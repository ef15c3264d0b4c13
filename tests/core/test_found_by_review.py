"""What was found to go wrong once, each in the smallest form that shows it."""

from __future__ import annotations

import asyncio
import fcntl
import time
from pathlib import Path

import pytest

from secretbridge import (
    InsForge,
    InvalidRequest,
    IoNet,
    Local,
    NoReply,
    Secret,
    SecretBridge,
    SecretNotFound,
    Timeout,
    UnexpectedReply,
    Vault,
    VaultBusy,
    VaultError,
    Wix,
)
from secretbridge.testing import IoNetStandIn, Lost, Pass, ScriptedRuntime, WixStandIn, answer

SITE = "5a1e0000-0000-4000-8000-000000000001"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    folder.mkdir(mode=0o700)
    return folder


def vault(place: Path, environment: str = "development") -> SecretBridge:
    return SecretBridge(Local(place / "vault.db", environment, key_file=place / "vault.key"))


def test_a_name_never_shows_a_version_twice_through_renames(place: Path) -> None:
    with vault(place) as bridge:
        bridge.create_secret("A", value="a")
        bridge.create_secret("B", value="b")
        seen = bridge.update_secret("B", value="b2").version or 0
        bridge.update_secret("B", new_name="C")
        renamed = bridge.update_secret("A", new_name="B").version or 0
        assert renamed > seen
    with Vault(place / "vault.db", key_file=place / "vault.key") as whole:
        whole.verify()


def test_a_name_never_shows_a_version_twice_through_another_environment(place: Path) -> None:
    with vault(place) as here, vault(place, "production") as there:
        there.create_secret("A", value="there")
        here.create_secret("B", value="b")
        for number in range(4):
            last = here.update_secret("B", value=str(number)).version or 0
        here.delete_secret("B")
        here.create_secret("A", value="a")
        here.delete_secret("A")
        there.update_secret("A", new_name="B")
        assert (here.create_secret("B", value="new").version or 0) > last


def test_a_listing_begun_inside_an_event_loop_is_whole_outside_of_it(place: Path) -> None:
    with vault(place) as bridge:
        for name in "ABCD":
            bridge.create_secret(name, value="value")

        async def begin() -> tuple[Secret, object]:
            rest = bridge.iter_secrets(page_size=1)
            return next(rest), rest

        first, rest = asyncio.run(begin())
        assert [first.name, *(secret.name for secret in rest)] == ["A", "B", "C", "D"]  # type: ignore[attr-defined]  # an iterator


@pytest.mark.parametrize("passphrase", ["   ", "\n", "abc\n", "a\rb", "\ud800"])
def test_a_passphrase_of_white_space_or_with_a_line_break_makes_no_vault(
    place: Path, passphrase: str
) -> None:
    with pytest.raises(InvalidRequest, match="passphrase"):
        Local(place / "vault.db", passphrase=passphrase)
    asked = Local(place / "vault.db", passphrase=lambda: passphrase)
    with SecretBridge(asked) as bridge, pytest.raises(InvalidRequest, match="passphrase"):
        bridge.list_secrets()
    assert list(place.iterdir()) == []


def test_a_vault_that_is_held_is_waited_for_once_and_closed_at_once(place: Path) -> None:
    with vault(place) as bridge:
        bridge.create_secret("A", value="a")
    with (place / "vault.db.lock").open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        from secretbridge._vault import KeyFile
        from secretbridge._vault import Vault as Inner

        begun = time.monotonic()
        with pytest.raises(VaultBusy):
            Inner.open(
                place / "vault.db",
                environment="test",
                credential=KeyFile(place / "vault.key"),
                busy_timeout=0.5,
            )
        assert time.monotonic() - begun < 0.95


def test_an_id_at_wix_is_that_secret_even_if_its_name_has_passed_to_another() -> None:
    standin = WixStandIn()
    provider = Wix(api_key="IST.wix-key", site_id=SITE)
    bridge = SecretBridge(provider, transport=standin.transport(), pace=None)
    other = SecretBridge(provider, transport=standin.transport(), pace=None)
    first = bridge.create_secret("A", value="first")
    bridge.list_secrets()
    other.update_secret("A", new_name="B")
    other.create_secret("A", value="another")
    found = bridge.get_secret(id=first.id)
    assert (found.name, found.reveal()) == ("B", "first")


def test_a_rename_while_the_value_is_read_is_noticed_in_the_listing() -> None:
    runtime = ScriptedRuntime(
        answer(200, {"secrets": [{"id": "7", "name": "A"}]}),
        answer(200, {"value": "of another"}),
        answer(200, {"secrets": [{"id": "7", "name": "B"}, {"id": "8", "name": "A"}]}),
        answer(200, {"value": "right"}),
    )
    found = runtime.bridge(Wix(api_key="key", site_id=SITE)).get_secret(id="7")
    assert (found.name, found.reveal()) == ("B", "right")


def test_after_a_rename_of_unknown_outcome_names_are_asked_for_anew() -> None:
    standin = IoNetStandIn()
    bridge = SecretBridge(IoNet(api_key="ionet-key"), transport=standin.transport(), pace=None, retry=None)
    bridge.create_secret("A", value="value-1")
    bridge.list_secrets()
    standin.script(Lost())
    with pytest.raises(NoReply):
        bridge.update_secret("A", new_name="B")
    with pytest.raises(SecretNotFound):
        bridge.update_secret("A", value="value-2")
    assert standin.secret("B").value == "value-1"
    standin.script(Pass())


@pytest.mark.parametrize(
    "body", [{"success": False}, {"error": "INTERNAL", "statusCode": 500}, {"success": "yes"}, []]
)
def test_insforge_must_not_deny_its_own_success(body: object) -> None:
    bridge = ScriptedRuntime(answer(200, body)).bridge(InsForge("https://a.example", api_key="ik_a"))
    with pytest.raises(UnexpectedReply) as caught:
        bridge.update_secret("A", value="a")
    assert caught.value.applied is None


def test_insforge_must_answer_about_the_secret_that_was_asked_for() -> None:
    bridge = ScriptedRuntime(answer(200, {"key": "B", "value": "b"})).bridge(
        InsForge("https://a.example", api_key="ik_a")
    )
    with pytest.raises(UnexpectedReply) as caught:
        bridge.get_secret("A")
    assert caught.value.applied is False


def test_the_home_folder_is_meant_by_a_tilde_in_both_paths(tmp_path: Path) -> None:
    Path("~/here").expanduser().mkdir(mode=0o700)
    with SecretBridge(Local("~/here/vault.db", key_file="~/here/vault.key")) as bridge:
        bridge.create_secret("A", value="a")
    assert Path("~/here/vault.key").expanduser().is_file()


@pytest.mark.parametrize("seconds", [0, float("inf"), 1e12])
def test_a_timeout_that_cannot_be_kept_is_refused(seconds: float) -> None:
    with pytest.raises(InvalidRequest, match=r"timeout\.read"):
        Timeout(read=seconds)


def test_a_new_vault_is_not_sealed_with_a_key_that_others_can_exchange(place: Path) -> None:
    with vault(place) as bridge:
        bridge.list_secrets()
    shared = place / "shared"
    shared.mkdir()
    (shared / "key").write_bytes((place / "vault.key").read_bytes())
    (shared / "key").chmod(0o600)
    shared.chmod(0o777)
    new = Local(place / "new.db", key_file=shared / "key")
    with SecretBridge(new) as bridge, pytest.raises(VaultError, match="Others can write to the folder"):
        bridge.list_secrets()
    assert not (place / "new.db").exists()


def test_a_folder_of_everybodys_is_not_to_be_changed_but_left(place: Path) -> None:
    place.chmod(0o1777)
    with vault(place) as bridge, pytest.raises(VaultError, match="a folder of its own"):
        bridge.list_secrets()


def test_only_doubtful_refusals_count_as_doubts() -> None:
    false_401 = answer(401, {"error": "AUTH_INVALID_API_KEY"})
    runtime = ScriptedRuntime(
        answer(200, {"secrets": []}), answer(429), answer(429), false_401, answer(200, {"success": True})
    )
    bridge = runtime.bridge(InsForge("https://a.example", api_key="ik_a"))
    bridge.list_secrets()
    bridge.update_secret("A", value="a")
    assert runtime.left == 0


def test_a_secret_can_be_kept_in_a_set() -> None:
    assert len({Secret(name="A"), Secret(name="A"), Secret(name="B")}) == 2


def test_a_name_that_cannot_be_there_is_refused_before_anything_is_sent() -> None:
    standin = WixStandIn()
    bridge = SecretBridge(Wix(api_key="IST.wix-key", site_id=SITE), transport=standin.transport(), pace=None)
    for name in ("two words", "wixKEY", "A" * 51):
        with pytest.raises(InvalidRequest, match="name"):
            bridge.update_secret(name, value="v")
    assert standin.calls == []
    runtime = ScriptedRuntime(answer(200, {"success": True}))
    runtime.bridge(InsForge("https://a.example", api_key="ik_a")).update_secret("older-row", value="v")
    assert runtime.sent[0].url.endswith("/older-row")
