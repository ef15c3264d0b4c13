"""A journal with something of everything in it: each state, losses, and names that are made to do harm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migrate_place import provider_of

from secretbridge import migrate
from secretbridge.migrate import Loss, Mark, Step
from secretbridge.migrate._begin import _head
from secretbridge.migrate._journal import Journal
from secretbridge.migrate._run import Ending, begin_entry
from secretbridge.migrate._written import step_text
from secretbridge.providers.jsonfile import JsonFile
from secretbridge.testing import IoNetStandIn

if TYPE_CHECKING:
    from pathlib import Path

    from secretbridge.migrate import Report

VALUE = "canary-2718281828"
#: Names that would steer a page, a table, a terminal or the eye.
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=http://127.0.0.1:9/x onerror=alert(1)>",
    '"onmouseover="alert(1)',
    "a | b | c",
    "`code` and ``more``",
    "`",
    "ends with `",
    "[link](javascript:alert(1)) ![](http://127.0.0.1:9/y)",
    "</bdi></style></main><style>*{display:none}</style>",
    "user\u202egnp.exe",
    "zero\u200bwidth\ufeff",
    "escape\x1b[31mred\x07\x00\r\n| new | row |",
    "&lt;b&gt; &amp; *star* _under_ ~~strike~~ #1 @somebody",
    "\u05de\u05e4\u05ea\u05d7",
    "X" * 300,
)


def sample(folder: Path) -> Report:
    """Make the journal of a run with a vault and give its report."""
    return migrate.report(journal=written(folder))


def written(folder: Path, sealed: bytes | None = b"k" * 32) -> Path:
    """Make the journal; gives the folder it is in."""
    old = folder / "old.json"
    old.write_text(f'{{"PLAIN": "{VALUE}"}}')
    old.chmod(0o600)
    standin = IoNetStandIn()
    with standin.serve() as address:
        plan = migrate.plan(JsonFile(old), provider_of(standin, address))
    unseen = Loss(kind="unverifiable", text="io.net never tells a value: that it arrives cannot be seen")
    described = Loss(
        kind="description", text="its description of 4,000 characters is longer than the target keeps"
    )
    versions = Loss(kind="versions", text="3 earlier versions stay behind")
    steps = [
        _step("STRIPE_KEY", "PROD_STRIPE_KEY", unseen, described),
        _step("SMTP_PASSWORD", "SMTP_PASSWORD", unseen, described, versions),
        _step("SESSION_KEY", "SESSION_KEY", unseen),
        _step("PAYMENT_WEBHOOK", "PAYMENT_WEBHOOK", unseen),
        _step("OLD_TOKEN", "OLD_TOKEN", unseen),
        *(_step(name, name, refused=f"io.net does not accept the name {name!r}") for name in HOSTILE),
        _step("BIG", "BIG", refused="its value does not fit io.net: has more than 1,000 characters"),
    ]
    runs = folder / "runs"
    runs.mkdir(mode=0o700)
    run_id = "20260101-120000-000000-0123abcd"
    begin = begin_entry(run_id, _head(plan), Ending(), vault=True, warnings=plan.warnings)
    journal = Journal.create(runs / f"{run_id}.db", begin, map(step_text, steps), sealed)
    _filled(journal)
    journal.close()
    return runs


def _step(source: str, target: str, *losses: Loss, refused: str = "") -> Step:
    return Step(
        source=source,
        target=target,
        action="refuse" if refused else "create",
        reason=refused,
        losses=losses,
        fields=() if refused else ("value",),
        source_mark=Mark(name=source),
    )


def _filled(journal: Journal) -> None:
    after: list[Any] = [None, None, None]
    done = ["done", "recorded", "best-effort", False, after, None]
    journal.append("intended", [[n, None] for n in range(5)])
    journal.append(
        "outcome",
        [
            [0, *done],
            [1, *done],
            [2, "done", "inferred", "best-effort", True, after, None],
            [3, "failed", None, None, False, after, "RateLimited: io.net asks to wait for 60 s."],
            [4, "unknown", None, None, False, after, "NoReply: No answer: no answer came in time."],
        ],
    )
    journal.append("verified", [[n, "unverifiable", after, None] for n in range(3)])
    journal.append("state", {"state": "incomplete", "at": "2026-01-01T12:00:09+00:00"})
