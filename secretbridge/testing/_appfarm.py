"""A stand-in of the endpoint that an Appfarm solution's builder publishes for secretbridge.

Appfarm has no management API for secrets. What stands here is the contract this package asks the builder for,
with the mistakes builders make as switches. The contract is ours; nothing here was seen on a live solution.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from secretbridge.testing._exchange import StandInReply, json_reply
from secretbridge.testing._standin import StandIn

if TYPE_CHECKING:
    from typing import Unpack

    from secretbridge.testing._exchange import Json, RecordedRequest
    from secretbridge.testing._standin import StandInOptions

__all__ = ["AppfarmSecret", "AppfarmStandIn"]


@dataclass(frozen=True, slots=True)
class AppfarmSecret:
    """A secret of the solution in this environment.

    Attributes:
        name: Its name.
        value: Its value here.
        environment_specific: Needed for an update from a service.
        locked: A lock in their console keeps updates out.
        declared: The endpoint has an *Update secret* node for it.
        granted: The service account's role has *Update Secret from Service* for it.
    """

    name: str
    value: str = field(repr=False)
    environment_specific: bool = True
    locked: bool = False
    declared: bool = True
    granted: bool = True


class AppfarmStandIn(StandIn):
    """One published endpoint, in one environment.

    The switches are attributes and may be changed between requests.

    Args:
        api_key: The service account's key, sent as ``Authorization: Bearer``.
        base_url: The solution's address; the host name stands for the environment.
        path: The endpoint's path.
        declared: Secrets that the endpoint has a node for though the solution has no such secret.
        asynchronous: True: answer OK and a job's id at once; nothing is changed until `run_jobs`.
        maintenance: True: 503 for everything.
        crash: True: an uncaught exception, whose text comes back with the value in it; nothing is changed.
        echo: ``"wrong"``: the answer is about another request; ``"missing"``: it says only that it worked.
            The secret is changed all the same.
        **options: See `StandInOptions`; a rate limit is the builder's choice.
    """

    _vendor = "appfarm"

    def __init__(
        self,
        *,
        api_key: str = "appfarm-key",
        base_url: str = "https://solution.appfarm.app",
        path: str = "/api/services/secrets/update-secret",
        declared: tuple[str, ...] = (),
        asynchronous: bool = False,
        maintenance: bool = False,
        crash: bool = False,
        echo: Literal["right", "wrong", "missing"] = "right",
        **options: Unpack[StandInOptions],
    ) -> None:
        super().__init__(base_url, **options)
        self.api_key = api_key
        self.path = path
        self.declared = declared
        self.asynchronous = asynchronous
        self.maintenance = maintenance
        self.crash = crash
        self.echo = echo
        self._rows: dict[str, AppfarmSecret] = {}
        self._jobs: list[tuple[str, str]] = []

    @property
    def secrets(self) -> tuple[AppfarmSecret, ...]:
        """The true state."""
        with self._lock:
            return tuple(self._rows.values())

    def secret(self, name: str) -> AppfarmSecret:
        """The secret of this name.

        Raises:
            LookupError: There is none.
        """
        with self._lock:
            return self._rows[name]

    def seed(
        self,
        name: str,
        value: str,
        *,
        environment_specific: bool = True,
        locked: bool = False,
        declared: bool = True,
        granted: bool = True,
    ) -> AppfarmSecret:
        """Put a secret in, in place of one with the same name; see `AppfarmSecret` for the flags."""
        row = AppfarmSecret(name, value, environment_specific, locked, declared, granted)
        with self._lock:
            self._rows[name] = row
        return row

    def run_jobs(self) -> int:
        """Do what asynchronous requests have asked for; gives how many there were."""
        with self._lock:
            jobs, self._jobs = self._jobs, []
            for name, value in jobs:
                self._rows[name] = replace(self._rows[name], value=value)
        return len(jobs)

    def _respond(self, request: RecordedRequest) -> StandInReply:
        if self.maintenance:
            return _failed(503, "The solution is in maintenance mode")
        if request.route != self._prefix + self.path:
            return _failed(404, "Endpoint not found")
        if request.method != "POST":
            reply = _failed(405, "Method not allowed")
            return StandInReply(405, (*reply.headers, ("Allow", "POST")), reply.body)
        if request.header_values("authorization") != (f"Bearer {self.api_key}",):
            return _failed(401, "Unauthorized")
        return self._update(request)

    def _too_many(self) -> StandInReply:
        return _failed(429, "Too many requests")

    def _update(self, request: RecordedRequest) -> StandInReply:
        try:
            payload: Json = request.json()
        except ValueError:
            payload = None
        given = payload if isinstance(payload, dict) else {}
        name, value, request_id = (given.get(key) for key in ("secret", "value", "request_id"))
        if not (isinstance(name, str) and isinstance(value, str) and isinstance(request_id, str)):
            return _failed(400, "secret, value and request_id are required")
        if self.crash:
            return _failed(500, f'Uncaught exception: Update secret failed for {name} with value "{value}"')
        return self._refusal(name) or self._changed(name, value, request_id)

    def _changed(self, name: str, value: str, request_id: str) -> StandInReply:
        if self.asynchronous:
            self._jobs.append((name, value))
            return json_reply(200, {"status": "OK", "jobId": str(uuid.uuid4())})
        self._rows[name] = replace(self._rows[name], value=value)
        return self._echoed(name, request_id)

    def _refusal(self, name: str) -> StandInReply | None:
        """Why the node would not run; the statuses are a builder's choice, these are ours."""
        row = self._rows.get(name)
        if not (name in self.declared if row is None else row.declared):
            return _failed(400, f"This endpoint does not update {name}")
        if row is None:
            return _failed(404, f"{name} does not exist")
        for met, status, message in (
            (row.granted, 403, f"Update Secret from Service > {name} is not granted"),
            (row.environment_specific, 409, f"{name} is not environment-specific"),
            (not row.locked, 423, f"{name} is locked"),
        ):
            if not met:
                return _failed(status, message)
        return None

    def _echoed(self, name: str, request_id: str) -> StandInReply:
        if self.echo == "missing":
            return json_reply(200, {"status": "updated"})
        told = str(uuid.uuid4()) if self.echo == "wrong" else request_id
        return json_reply(200, {"status": "updated", "secret": name, "request_id": told})


def _failed(status: int, message: str) -> StandInReply:
    return json_reply(status, {"status": "error", "message": message})
