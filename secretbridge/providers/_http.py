"""What the four HTTP adapters share: how a request goes out and how its reply is judged."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, ValidationError

from secretbridge._exchange import MAX_REPLY, Reply, Request
from secretbridge._scrub import safe_code, safe_token
from secretbridge._version import __version__
from secretbridge.errors import AuthenticationError, SecretBridgeError, UnexpectedReply, WrongAddress
from secretbridge.providers._address import base_address
from secretbridge.providers._refusal import (
    ADVICE,
    LOOK_FIRST,
    TRANSIENT,
    Fault,
    by_status,
    is_html,
    retry_after,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from secretbridge._capabilities import Capabilities
    from secretbridge._channel import Channel
    from secretbridge._exchange import Headers
    from secretbridge._models import Fields, Operation, Secret, Target
    from secretbridge._provider import Page
    from secretbridge.errors import Violation
    from secretbridge.providers._credential import HeaderAuth

__all__ = ["Answer", "HttpProvider", "Moment", "is_past", "read_json", "to_json"]

M = TypeVar("M", bound=BaseModel)

_DONE: Final = frozenset({200, 201, 204})
_HEADERS: Final[Headers] = (
    (b"User-Agent", f"secretbridge/{__version__}".encode()),
    (b"Accept", b"application/json"),
    # Secrets are short and compression beside secrets leaks their length: ask for none.
    (b"Accept-Encoding", b"identity"),
)
_JSON: Final[Headers] = (*_HEADERS, (b"Content-Type", b"application/json"))


class Answer(BaseModel):
    """Base of the models of vendors' answers: unknown fields are ignored, inputs never shown."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return moment  # at the ends of the calendar UTC has no such day; the vendor's zone says it as well


#: A vendor's time; UTC where it names no zone.
Moment = Annotated[datetime, AfterValidator(_aware)]


class HttpProvider:
    """Base of the HTTP adapters.

    Args:
        base_url: the API's address, without a slash at its end.
        auth: the credential's headers.
        allow_http: whether plain http may be used beyond loopback.
    """

    capabilities: Capabilities
    #: The vendor's documented codes. They are shown even where a short value happens to be part of one.
    _known_codes: Container[str] = ()
    #: The header that carries the vendor's id of a request.
    _request_id: str = "x-request-id"

    def __init__(self, base_url: str, auth: HeaderAuth, *, allow_http: bool) -> None:
        self._base = base_address(base_url, allow_http=allow_http)
        self._auth = auth

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._base!r})"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} is not pickled: it holds a credential; make it where it is used"
        )

    def __deepcopy__(self, _memo: object) -> HttpProvider:
        return self

    def __copy__(self) -> HttpProvider:
        return self

    def check(self, operation: Operation, target: Target, fields: Fields) -> Iterable[Violation]:  # noqa: ARG002 - for adapters
        """Give what is wrong beyond ``capabilities``; nothing, unless an adapter says so."""
        return ()

    # The verbs that an adapter does not define are missing from its capabilities: core refuses them.

    async def list_page(self, channel: Channel, cursor: str | None, size: int) -> Page:
        """Give one page."""
        raise NotImplementedError

    async def get(self, channel: Channel, target: Target) -> Secret:
        """Give one secret."""
        raise NotImplementedError

    async def create(self, channel: Channel, name: str, fields: Fields) -> Secret:
        """Make a new secret."""
        raise NotImplementedError

    async def put(self, channel: Channel, name: str, fields: Fields) -> Secret:
        """Create or replace."""
        raise NotImplementedError

    async def delete(self, channel: Channel, target: Target) -> None:
        """Delete a secret."""
        raise NotImplementedError

    async def _ask(
        self,
        channel: Channel,
        operation: Operation,
        method: str,
        path: str,
        *,
        secret: str = "",
        body: bytes = b"",
        value: SecretStr | None = None,
        idempotent: bool = True,
        reads: bool = False,
        max_reply: int = MAX_REPLY,
        repeat_statuses: frozenset[int] = frozenset(),
        doubtful_codes: frozenset[str] = frozenset(),
    ) -> Reply:
        """Send one request and give its successful reply."""
        request = Request(
            operation=operation,
            secret=secret,
            method=method,
            url=self._base + path,
            headers=_JSON if body else _HEADERS,
            auth=self._auth,
            body=body,
            reads=reads,
            idempotent=idempotent,
            repeat_statuses=repeat_statuses,
            doubtful_codes=doubtful_codes,
            max_reply=max_reply,
        )
        try:
            return await channel.exchange(request, lambda reply: self._judge(request, value, reply))
        except AuthenticationError as error:
            if not error.provider:  # a callable credential failed: it does not know whom it was for
                error.provider, error.operation = self.capabilities.provider, operation
            raise

    def _judge(self, request: Request, value: SecretStr | None, reply: Reply) -> SecretBridgeError | None:
        """Say what is wrong with a reply, or None."""
        status = reply.status
        page = is_html(reply)
        if status in _DONE and not page:
            return None
        if status < 300:  # noqa: PLR2004 - HTTP's redirects and refusals begin there
            how = f"{self._answered(request, reply)}{' with a web page' if page else ''}"
            return UnexpectedReply(
                f"{how}, which this API never does.",
                status=status,
                advice=_advice("Check base_url, and whether a proxy asks for a login.", reads=request.reads),
            )
        secrets = [] if value is None else [value.get_secret_value()]
        # The credential comes first; what stands beside it, such as a site's id, is no secret.
        secrets += [text.decode().split(" ")[-1] for _, text in request.credential[:1]]
        return self._refusal(request, reply, secrets)

    def _answered(self, request: Request, reply: Reply) -> str:
        named = f" of {request.secret!r}" if request.secret else ""
        return f"{self.capabilities.title} answered {reply.status} to the {request.operation}{named}"

    def _refusal(self, request: Request, reply: Reply, secrets: list[str]) -> SecretBridgeError:
        """Give the error for an answer that is no success; vendor codes go before statuses."""
        status = reply.status
        fault = self._fault(request, reply, read_json(reply))
        kind = fault.kind or by_status(request, reply)
        advice = ADVICE.get(kind, "") if fault.advice is None else fault.advice
        known = isinstance(fault.code, str) and fault.code in self._known_codes
        code = str(fault.code) if known else safe_code(fault.code, secrets)
        text = f"{self._answered(request, reply)}{f' ({code})' if code else ''}"
        if issubclass(kind, WrongAddress):
            return kind(f"{text}: this is not the API's address.", status=status, advice=advice)
        # A vendor's words are shown where they are about what was sent, and scrubbed of it. What else it
        # might repeat, such as a value that it keeps, could not be recognised here.
        violations = shown(fault.violations, secrets) if request.body else []
        listed = "".join(f"; {violation}" for violation in violations)
        unknown = status == 408 or status >= 500  # noqa: PLR2004 - the server may have begun
        return kind(
            f"{text}{listed}.",
            provider=self.capabilities.provider,
            operation=request.operation,
            status=status,
            code=code,
            request_id=safe_token(reply.header(self._request_id), secrets),
            violations=violations,
            advice=_advice(advice, reads=request.reads) if unknown else advice,
            applied=None if unknown else False,
            transient=status in TRANSIENT if fault.transient is None else fault.transient,
            retry_after=retry_after(reply),
        )

    def _fault(self, request: Request, reply: Reply, document: object) -> Fault:
        """Read a vendor's refusal; ``document`` is its JSON or None."""
        raise NotImplementedError

    def _parse_object(self, request_for: Operation, reply: Reply, model: type[Answer] = Answer) -> None:
        """Check that a success holds an object, of this model where one is given, or nothing at all."""
        if reply.body.strip():
            self._parse(model, request_for, reply)

    def _parse(self, model: type[M], request_for: Operation, reply: Reply) -> M:
        """Read a success of the documented shape.

        Raises:
            UnexpectedReply: it is of another shape.
        """
        wrong = 0
        try:
            return model.model_validate_json(reply.body)
        except ValidationError as error:
            wrong = error.error_count()
        reads = request_for in {"list", "get"}
        raise UnexpectedReply(
            f"{self.capabilities.title} answered {reply.status} to the {request_for}, but not in the"
            f" documented shape ({wrong} {'place differs' if wrong == 1 else 'places differ'}).",
            status=reply.status,
            applied=False if reads else None,
            advice=_advice("Check base_url; the API may also have changed.", reads=reads),
        )


def _advice(advice: str, *, reads: bool) -> str:
    """Add to advice about a request of unknown outcome what goes for all changes."""
    return advice if reads else f"{advice} {LOOK_FIRST}".strip()


def read_json(reply: Reply) -> Any:  # noqa: ANN401 - anything at all may come
    """Give the reply's JSON, or None where there is none or it is nested too deep."""
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        return None


def is_past(moment: datetime | None) -> bool:
    """Say whether an expiry has passed."""
    return moment is not None and moment <= datetime.now(UTC)


def to_json(document: object) -> bytes:
    """Write JSON for a request; values leave their SecretStr here, at the last moment."""
    return _encode(document).encode()


def _plain(value: SecretStr | datetime) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


#: Made once: json.dumps makes an encoder at every call that is not all defaults.
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain).encode
