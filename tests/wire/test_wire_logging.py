"""What is logged: who, what and how it ended. Never a value, never a credential."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

import pytest
from loopback import (
    CREATE,
    FACES,
    ID,
    INFO,
    KEY,
    READ,
    UPDATE,
    VALUE,
    Say,
    ask,
    failure,
    http,
    served,
    unused_url,
)

from secretbridge import Retry

if TYPE_CHECKING:
    from collections.abc import Iterator

faces = pytest.mark.parametrize("face", FACES)


@pytest.fixture
def everything() -> Iterator[list[logging.LogRecord]]:
    """Every record of every logger, at DEBUG."""
    records: list[logging.LogRecord] = []

    class Keeps(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    root = logging.getLogger()
    named = [
        logging.getLogger(name) for name in ("secretbridge", "httpx", "httpcore", "asyncio", "trio", "anyio")
    ]
    levels = [(logger, logger.level) for logger in (root, *named)]
    handler = Keeps()
    root.addHandler(handler)
    for logger, _ in levels:
        logger.setLevel(logging.DEBUG)
    yield records
    root.removeHandler(handler)
    for logger, level in levels:
        logger.setLevel(level)


def ours(records: list[logging.LogRecord]) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in records if record.name == "secretbridge"]


@faces
def test_a_call_is_logged_by_operation_name_status_and_try(
    face: str, everything: list[logging.LogRecord]
) -> None:
    with served(http(200, INFO)) as server:
        ask(face, server.url, READ)
        ask(face, server.url, UPDATE)
        ask(face, server.url, CREATE)
    assert ours(everything) == [
        ("DEBUG", f"get of {ID}: 200 at try 1"),
        ("DEBUG", f"update of {ID}: 200 at try 1"),
        ("DEBUG", "create of TOKEN: 200 at try 1"),
    ]


@faces
def test_a_retry_is_logged_at_info(face: str, everything: list[logging.LogRecord]) -> None:
    script: list[Say | bytes] = [http(503, b"{}", "Retry-After: 0"), Say(b"", "close"), http(404, b"{}")]
    with served(*script) as server:
        failure(face, server.url, UPDATE, retry=Retry(first_wait=0))
    assert ours(everything) == [
        ("DEBUG", f"update of {ID}: 503 at try 1"),
        ("INFO", f"update of {ID}: 503 at try 1, next in 0.00 s"),
        ("DEBUG", f"update of {ID}: NoReply at try 2"),
        ("INFO", f"update of {ID}: NoReply at try 2, next in 0.00 s"),
        ("DEBUG", f"update of {ID}: 404 at try 3"),
    ]


@faces
def test_neither_value_nor_credential_is_in_anybodys_log(
    face: str, everything: list[logging.LogRecord]
) -> None:
    echo = b'{"detail": [{"loc": ["body", "secret_value"], "msg": "bad %s", "input": "%s"}]}' % (
        VALUE.encode(),
        VALUE.encode(),
    )
    script: list[Say | bytes] = [
        http(200, INFO), http(422, echo), http(401, KEY.encode()),
        http(200, b"<p>" + VALUE.encode(), kind="text/html"),
        http(302, b"", "Location: /elsewhere"), Say(b"HTTP/1.1 200 OK\r\n", "reset"), http(200, INFO),
    ]  # fmt: skip
    retry = Retry(first_wait=0)
    with served(*script) as server:
        for _ in range(7):
            try:
                ask(face, server.url, CREATE, retry=retry)
            except Exception as error:
                logging.getLogger("of.the.caller").warning("%r", error, exc_info=error)
    failure(face, unused_url(), UPDATE, retry=retry)
    assert {record.name.partition(".")[0] for record in everything} >= {"secretbridge", "httpcore", "of"}
    text = io.StringIO()
    formatter = logging.Formatter("%(levelname)s %(name)s %(message)s %(args)s")
    for record in everything:
        text.write(formatter.format(record) + repr(vars(record)) + "\n")
    assert VALUE not in text.getvalue()
    assert KEY not in text.getvalue()
    assert "httpx" not in {record.name for record in everything}  # it logs whole URLs


def test_nothing_is_formatted_where_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "secretbridge")
    with served(http(200, INFO)) as server:
        ask("blocking", server.url, READ)
    assert [record for record in caplog.records if record.name == "secretbridge"] == []
