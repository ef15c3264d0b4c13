"""Larder in memory: what its documents say, and its traps."""

from __future__ import annotations

import itertools
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from secretbridge.testing import RecordedRequest, StandIn, StandInReply, json_reply

SHOWN = ("id", "name", "note", "enabled", "expires")


class LarderStandIn(StandIn):
    """One shelf."""

    api_key = "lk_Vb5Nm8Qw2Er6Ty"

    def __init__(self) -> None:
        super().__init__("https://api.larder.example")
        self.rows: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count(1)

    def seed(self, name: str, **fields: Any) -> None:
        """Put a secret in, past every check; the fields are Larder's."""
        id_ = f"s-{next(self._numbers):04d}"
        self.rows[id_] = {"id": id_, "name": name, "note": None, "enabled": True, "expires": None, **fields}

    def _too_many(self) -> StandInReply:
        return _failed(429, "slow_down")

    def _respond(self, request: RecordedRequest) -> StandInReply:
        if request.header_values("authorization") != (f"Bearer {self.api_key}",):
            return _failed(401, "bad_key")
        parts = urlsplit(request.path)
        if parts.path == "/v1/secrets":
            return self._all(request, parse_qs(parts.query))
        id_ = unquote(parts.path.removeprefix("/v1/secrets/"))
        if not parts.path.startswith("/v1/secrets/") or id_ not in self.rows:
            return _failed(404, "no_such_secret")
        return self._one(request, self.rows[id_])

    def _all(self, request: RecordedRequest, query: dict[str, list[str]]) -> StandInReply:
        if request.method == "POST":
            document = request.json()
            if self._taken(document["name"]):
                return _failed(409, "name_taken")
            self.seed(document.pop("name"), **document)
            return json_reply(201, _shown([*self.rows.values()][-1]))
        after = query.get("after", [""])[0]
        rows = sorted((row for row in self.rows.values() if row["name"] > after), key=lambda row: row["name"])
        page = rows[: min(int(query["limit"][0]), 5)]  # never more than five, whatever is asked for
        more = page[-1]["name"] if len(rows) > len(page) else None
        return json_reply(200, {"items": [_shown(row) for row in page], "next": more})

    def _one(self, request: RecordedRequest, row: dict[str, Any]) -> StandInReply:
        if request.method == "GET":
            return json_reply(200, {**_shown(row), "value": row["value"]})
        if request.method == "DELETE":
            del self.rows[row["id"]]
            return StandInReply(204)
        document = request.json()
        if document.get("name", row["name"]) != row["name"] and self._taken(document["name"]):
            return _failed(409, "name_taken")
        row.update(document)
        return json_reply(200, _shown(row))

    def _taken(self, name: str) -> bool:
        return any(row["name"] == name for row in self.rows.values())


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in SHOWN}


def _failed(status: int, code: str) -> StandInReply:
    return json_reply(status, {"code": code, "message": "see the documents"})
