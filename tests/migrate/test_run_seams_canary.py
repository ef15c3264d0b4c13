"""Values in a run that goes wrong stand in no file, log, exception, event or outcome."""

from __future__ import annotations

import logging
import time
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from migrate_place import Place, bridged, place

from secretbridge import SecretBridge, migrate
from secretbridge.errors import SecretBridgeError
from secretbridge.migrate._progress import Tally
from secretbridge.testing import InsForgeStandIn, Lost, Pass, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["place"]

CANARY = "canary-3141592653"


def told_by(error: BaseException) -> Iterator[str]:
    """Give all that an exception says, and the local variables of its frames as they show themselves."""
    seen: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is None or one in seen:
            continue
        seen.append(one)
        left += [one.__cause__, one.__context__]
        yield from (str(one), repr(one), repr(vars(one)))
    yield "".join(traceback.TracebackException.from_exception(error, capture_locals=False).format())


def bytes_in(folder: Path) -> bytes:
    kept = (path for path in folder.rglob("*") if path.is_file())
    return b"".join(path.read_bytes() for path in kept)


def test_a_run_that_goes_wrong_tells_no_value_anywhere(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    insforge, journal = InsForgeStandIn(), place.folder / "runs"
    insforge.seed("A", f"{CANARY}-before")
    source = place.env(A=f"{CANARY}-a", B=f"{CANARY}-b", C=f"{CANARY}-c")
    vault = place.vault(name="undo")
    seen: list[str] = []
    tally = Tally(time.monotonic)

    def told(event: migrate.Event) -> None:
        seen.append(repr(event))
        tally.take(event)
        seen.extend((tally.line(), tally.last_error))
        held.append(bytes_in(journal))  # with the WAL, while the run is under way

    held: list[bytes] = []
    journal.mkdir(mode=0o700)
    errors: list[BaseException] = []
    run_id = ""
    with bridged(insforge) as target:
        plan = migrate.plan(source, target, on_conflict="update", vault=vault, progress=told)
        seen += [plan.to_json(), repr(plan), repr(plan.steps)]
        echo = {"error": "INVALID_INPUT", "message": f"bad {CANARY}-a", "statusCode": 400}
        insforge.script(*[Pass()] * 3, Reply(400, echo), Lost(), Lost("reset"), Reply(500, echo))
        with pytest.raises(SecretBridgeError) as caught:
            plan.apply(journal=journal, progress=told, patience=0)
        errors.append(caught.value)
        (info,) = migrate.runs(journal=journal)
        run_id = info.id
        insforge.script(Reply(401, echo))
        options: dict[str, Any] = {"vault": vault, "journal": journal, "progress": told}
        try:
            migrate.resume(run_id, source, target, patience=0, **options)
        except SecretBridgeError as error:
            errors.append(error)
        reports = [migrate.report(run_id, journal=journal)]
        run = migrate.undo(run_id, target, check=False, **options)
        reports.append(run.report())
        for report in reports:
            seen += [
                report.to_json(),
                report.to_markdown(),
                report.to_html(),
                repr(report),
                repr(report.next),
            ]
        seen += [run.to_json(), repr(run), repr(run.outcomes)]
    seen += [text for error in errors for text in told_by(error)]
    seen += [record.getMessage() + repr(record.args) for record in caplog.records]
    with SecretBridge(source) as bridge:
        known = bridge.get_secret("B").reveal().startswith(CANARY)
    leaks = [text for text in seen if CANARY in text]
    assert [known, leaks, [CANARY.encode() in one for one in held].count(True), len(held) > 3] == [
        True,
        [],
        0,
        True,
    ]
