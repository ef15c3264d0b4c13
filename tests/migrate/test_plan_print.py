"""A plan in print: plain where nobody looks, a table of rich's on a terminal; and its estimates."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest
from migrate_place import Place, bridged, place, provider_of
from pydantic import SecretStr

from secretbridge import SecretBridge, migrate
from secretbridge.migrate._table import duration
from secretbridge.testing import InsForgeStandIn, IoNetStandIn, WixStandIn

if TYPE_CHECKING:
    from secretbridge.migrate import Plan

__all__ = ["place"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def a_plan(place: Place) -> Plan:
    source = WixStandIn()
    source.seed("TEXT", "1", description="text")
    source.seed("other", "2")
    source.seed("SAME", "3")
    source.seed("[red]\x1b[31m", "4")
    return migrate.plan(bridged(source), place.json(OTHER="1", SAME="3"), on_conflict="update", case="upper")


def test_plain_text_names_what_why_losses_totals_and_estimates(place: Place) -> None:
    out = io.StringIO()
    plan = a_plan(place)
    plan.print(out)
    assert out.getvalue().splitlines() == [
        f"4 secrets from {plan.source} to {plan.target}: 0 to create, 1 to update, 1 to skip, 2 to refuse.",
        (
            'refuse  TEXT                           needs consent: accept=["description"]; description:'
            " the JSON file does not keep its description"
        ),
        (
            r"refuse  [red]\x1b[31m → [RED]\x1b[31M  the JSON file does not accept the name '[RED]\x1b[31M':"
            " holds a slash or a control character, or is only dots;"
            r" rename={'[red]\x1b[31m': 'RED_31M'} would do"
        ),
        "update  other → OTHER                  writes value",
        "skip    SAME                           same",
        "Losses and effects for good: description (1).",
        f"Note: {plan.warnings[0]}",
        "Note: An undo could not restore 1 updated secret: no vault= keeps the old values.",
        "Expected: 2 requests to the source, 3 to the target, less than a second by their declared rates.",
        *plan.estimates.assumptions,
    ]


def test_on_a_terminal_it_is_a_table_in_which_no_name_steers_anything(place: Place) -> None:
    out = Terminal()
    a_plan(place).print(out)
    text = out.getvalue()
    assert ("┃" in text, "\x1b[31m" in text, "needs" in text) == (True, False, True)


def test_without_rich_a_terminal_gets_plain_text(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    out, plain = Terminal(), io.StringIO()
    plan = a_plan(place)
    plan.print(out)
    plan.print(plain)
    assert out.getvalue() == plain.getvalue()


def test_standard_output_is_where_it_goes_and_a_long_plan_is_cut(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    a_plan(place).print(most=1)
    lines = capsys.readouterr().out.splitlines()
    assert (lines[1][:6], lines[2]) == ("refuse", "… and 3 more; to_json() has all of them.")


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "less than a second"), (60, "60 s"), (150, "2.5 min")])
def test_a_time_is_told_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_requests_and_minutes_follow_the_declared_rates() -> None:
    source, target = WixStandIn(), InsForgeStandIn()
    for number in range(50):
        source.seed(f"KEY_{number}", "1")
    slow = SecretBridge(provider_of(source), transport=source.transport())
    estimates = migrate.plan(bridged(source), bridged(target)).estimates
    assert (estimates.source_requests, estimates.target_requests, estimates.seconds) == (51, 151, 0.0)
    assert estimates.assumptions[:2] == (
        "Wix declares no rate: its time is not counted.",
        "InsForge declares no rate: its time is not counted.",
    )
    slow_target = migrate.plan(bridged(target), slow, accept="inactive")
    assert slow_target.estimates.assumptions[1] == "Wix is sent at most 200 requests a minute."


def test_a_rate_is_played_against_the_pacer_that_the_run_waits_for(place: Place) -> None:
    target = IoNetStandIn()
    source = place.env()
    source.path.write_text("".join(f"KEY_{number}=1234\n" for number in range(240)))
    target.seed("KEY_0", "1234")
    paced = SecretBridge(provider_of(target), transport=target.transport())
    estimates = migrate.plan(source, paced, on_conflict="update").estimates
    # One listing, 239 creates, a look and an update; 97 % of 120 a minute, the first at once.
    assert (estimates.target_requests, round(estimates.target_seconds)) == (270, round(269 * 60 / 120 / 0.97))
    assert (estimates.source_requests, estimates.source_seconds) == (5, 0.0)


def test_values_from_elsewhere_cost_the_source_its_listing_alone(place: Place) -> None:
    source = IoNetStandIn()
    source.seed("KEY", "1234")
    plan = migrate.plan(bridged(source), place.env(), values_from={"KEY": SecretStr("1234")})
    assert (plan.estimates.source_requests, plan.estimates.target_requests) == (1, 3)
