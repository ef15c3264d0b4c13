"""Any sequence of calls, by two clients of one account, against a dict that does the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from adapter_cases import CASES, Case
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from secretbridge import SecretBridge, SecretExists, SecretNotFound

NAMES = st.sampled_from(["A", "B", "C_1"])
VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=4, max_size=9)
CLIENTS = st.sampled_from([0, 1])
#: The field beside the value that a provider has, with what it may be set to; the first is that of a new one.
BESIDE: dict[str, tuple[str, list[Any]]] = {
    "ionet": ("default_for_tool", [False, True]),
    "wix": ("description", [None, "text", "other"]),
    "insforge": ("active", [True, False]),
}
SETTINGS = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@dataclass
class Kept:
    """What the model knows of a secret; ``gone``: InsForge lists it still."""

    value: str
    beside: Any


class Managed(RuleBasedStateMachine):
    """One of the services that have an API for secrets."""

    case: ClassVar[Case]

    @initialize()
    def begin(self) -> None:
        self.standin = self.case.standin()
        self.clients = [
            SecretBridge(
                self.case.provider(self.standin), transport=self.standin.transport(), retry=None, pace=None
            )
            for _ in range(2)
        ]
        self.field, self.choices = BESIDE[self.case.name]
        self.model: dict[str, Kept] = {}

    def teardown(self) -> None:
        for client in self.clients:
            client.close()

    @property
    def soft(self) -> bool:
        """Whether a deleted secret stays there, inactive, and can be changed and deleted again."""
        return self.case.name == "insforge"

    def shows(self, name: str) -> bool:
        """Whether a value would be handed out."""
        kept = self.model.get(name)
        return kept is not None and not (self.soft and not kept.beside)

    @rule(who=CLIENTS, name=NAMES, value=VALUES)
    def create(self, who: int, name: str, value: str) -> None:
        if self.shows(name):
            if self.case.name == "ionet":
                return  # it takes a second one of the same name
            with pytest.raises(SecretExists):
                self.clients[who].create_secret(name, value=value)
            return
        self.clients[who].create_secret(name, value=value)
        self.model[name] = Kept(value, self.choices[0])

    @rule(who=CLIENTS, name=NAMES, value=VALUES)
    def put(self, who: int, name: str, value: str) -> None:
        self.clients[who].put_secret(name, value=value)
        self.model[name] = Kept(value, self.choices[0])

    @rule(who=CLIENTS, name=NAMES, value=VALUES)
    def change(self, who: int, name: str, value: str) -> None:
        if name not in self.model:
            with pytest.raises(SecretNotFound):
                self.clients[who].update_secret(name, value=value)
            return
        self.clients[who].update_secret(name, value=value)
        self.model[name].value = value

    @rule(who=CLIENTS, name=NAMES, data=st.data())
    def change_beside(self, who: int, name: str, data: st.DataObject) -> None:
        if name in self.model:
            beside = data.draw(st.sampled_from(self.choices))
            self.clients[who].update_secret(name, **{self.field: beside})
            self.model[name].beside = beside

    @precondition(lambda self: not self.soft)
    @rule(who=CLIENTS, old=NAMES, new=NAMES)
    def rename(self, who: int, old: str, new: str) -> None:
        if old not in self.model:
            with pytest.raises(SecretNotFound):
                self.clients[who].update_secret(old, new_name=new)
            return
        if new in self.model:
            return
        self.clients[who].update_secret(old, new_name=new)
        self.model[new] = self.model.pop(old)
        self.clients[1 - who].list_secrets()  # it may believe its last listing for 30 seconds

    @rule(who=CLIENTS, name=NAMES)
    def delete(self, who: int, name: str) -> None:
        if name not in self.model:
            with pytest.raises(SecretNotFound):
                self.clients[who].delete_secret(name)
            self.clients[who].delete_secret(name, missing_ok=True)
            return
        self.clients[who].delete_secret(name)
        if self.soft:
            self.model[name].beside = False
        else:
            del self.model[name]

    @rule(who=CLIENTS, name=NAMES)
    def get(self, who: int, name: str) -> None:
        if not self.shows(name):
            with pytest.raises(SecretNotFound):
                self.clients[who].get_secret(name)
            return
        got = self.clients[who].get_secret(name)
        told = None if got.value is None else got.reveal()
        kept = self.model[name]
        assert told == (kept.value if "value" in self.case.provider(None).capabilities.get_tells else None)
        assert getattr(got, self.field) == kept.beside

    @invariant()
    def the_service_holds_what_the_model_holds(self) -> None:
        field = {"active": "active", "description": "description", "default_for_tool": "default_for_tool"}
        rows = [row for row in self.standin.secrets if not getattr(row, "reserved", False)]
        assert {row.name: (row.value, getattr(row, field[self.field]) or self.none) for row in rows} == {
            name: (kept.value, kept.beside or self.none) for name, kept in self.model.items()
        }
        assert len(rows) == len(self.model)

    @property
    def none(self) -> Any:
        """What stands for nothing: an absent description is empty there."""
        return None if self.field == "description" else False

    @invariant()
    def both_clients_list_what_the_model_holds(self) -> None:
        if len(self.standin.requests) % 5 == 0:  # not after each step: a listing refreshes a client's memory
            for client in self.clients:
                listed = {
                    row.name: getattr(row, self.field) or self.none
                    for row in client.list_secrets()
                    if not row.platform
                }
                assert listed == {name: kept.beside or self.none for name, kept in self.model.items()}


@pytest.mark.parametrize("case", CASES[:3], ids=str)
def test_two_clients_and_a_service_do_what_a_dict_does(case: Case) -> None:
    of_this = type("OfThis", (Managed,), {"case": case})
    run_state_machine_as_test(of_this, settings=SETTINGS)


class Endpoint(RuleBasedStateMachine):
    """Appfarm's endpoint: two clients, two secrets, values alone."""

    @initialize()
    def begin(self) -> None:
        case = CASES[3]
        self.standin = case.standin()
        self.model = {"EXISTING": "first", "LOCKED": "stays"}
        for name, value in self.model.items():
            self.standin.seed(name, value, locked=name == "LOCKED")
        self.clients = [
            SecretBridge(
                case.provider(self.standin), transport=self.standin.transport(), retry=None, pace=None
            )
            for _ in range(2)
        ]

    @rule(who=CLIENTS, value=VALUES)
    def change(self, who: int, value: str) -> None:
        self.clients[who].update_secret("EXISTING", value=value)
        self.model["EXISTING"] = value

    @invariant()
    def the_service_holds_what_the_model_holds(self) -> None:
        assert {row.name: row.value for row in self.standin.secrets} == self.model


def test_two_clients_and_an_endpoint_do_what_a_dict_does() -> None:
    run_state_machine_as_test(Endpoint, settings=settings(SETTINGS, max_examples=10))
