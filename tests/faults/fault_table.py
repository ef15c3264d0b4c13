"""The outcomes that are expected, as they stand in faults_expected.json, and the table in docs/faults.md.

``python tests/faults/fault_table.py`` writes the tables into docs/faults.md.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fault_matrix import EXCHANGES, FAULTS, Cell, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

DATA: Final = Path(__file__).with_name("faults_expected.json")
DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "faults.md"
_BEGIN, _END = "<!-- written from the tests: begin -->\n", "<!-- written from the tests: end -->\n"
_APPLIED: Final[Mapping[bool | None, str]] = {True: "yes", False: "no", None: "unknown"}
_TITLES: Final = {"ionet": "io.net", "wix": "Wix", "insforge": "InsForge", "appfarm": "Appfarm"}


def word(outcome: Outcome) -> str:
    return f"{outcome.error} {_APPLIED[outcome.applied]}" if outcome.error else "works"


def expected() -> dict[Cell, str]:
    """For each cell, what must become of it: ``NoReply unknown`` or ``works``."""
    exchanges = {str(one): one for one in EXCHANGES}
    found = {}
    for provider, groups in json.loads(DATA.read_text()).items():
        for group in groups:
            for outcome, places in group["outcomes"].items():
                once, again = outcome.split("; ")
                for place in places:
                    for fault in group["faults"]:
                        exchange = exchanges[f"{provider} {place}"]
                        found[Cell(exchange, fault, again=False)] = once
                        found[Cell(exchange, fault, again=True)] = again
    return found


def grouped(outcomes: Mapping[Cell, str]) -> str:
    """Write outcomes as the file has them: faults with the same outcomes everywhere are one group."""
    data = {}
    for provider in _TITLES:
        rows: dict[tuple[tuple[str, str], ...], list[str]] = {}
        for fault in FAULTS:
            row = tuple(
                (f"{outcomes[Cell(one, fault, False)]}; {outcomes[Cell(one, fault, True)]}", str(one))
                for one in EXCHANGES
                if one.provider == provider
            )
            rows.setdefault(row, []).append(fault)
        groups = []
        for row, faults in rows.items():
            places: dict[str, list[str]] = {}
            for outcome, place in row:
                places.setdefault(outcome, []).append(place.removeprefix(f"{provider} "))
            groups.append({"faults": faults, "outcomes": places})
        data[provider] = groups
    return json.dumps(data, indent=1) + "\n"


def tables() -> str:
    """The tables for the document."""
    lines = []
    for provider, groups in json.loads(DATA.read_text()).items():
        lines += [f"### {_TITLES[provider]}", "", "| faults | exchange | error, applied | with later tries |"]
        lines += ["| --- | --- | --- | --- |"]
        for group in groups:
            faults = "; ".join(group["faults"])
            for outcome, places in group["outcomes"].items():
                once, again = outcome.split("; ")
                where = "all" if len(group["outcomes"]) == 1 else ", ".join(places)
                lines.append(f"| {faults} | {where} | {once} | {'same' if once == again else again} |")
                faults = "〃"
        lines.append("")
    return "\n".join(lines)


def written(document: str) -> str:
    """The document with its tables as they should be."""
    before, _, rest = document.partition(_BEGIN)
    return f"{before}{_BEGIN}\n{tables()}\n{_END}{rest.partition(_END)[2]}"


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text()))
