"""What the four HTTP adapters share: address, credential, requests, and the table of refusals."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, NoReturn, TypeVar, cast
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, ValidationError
from pydantic_core import from_json

from secretbridge._exchange import MAX_REPLY, Reply, Request
from secretbridge._scrub import safe_text, safe_token
from secretbridge._version import __version__
from secretbridge.errors import (
    AuthenticationError,
    Conflict,
    InvalidRequest,
    PermissionDenied,
    ProviderError,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    Rejected,
    SecretBridgeError,
    SecretExists,
    SecretNotFound,
    SecretProtected,
    UnexpectedReply,
    Violation,
    WrongAddress,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from secretbridge._capabilities import Capabilities
    from secretbridge._channel import Channel
    from secretbridge._exchange import Headers
    from secretbridge._models import Fields, Operation, Secret, Target
    from secretbridge._provider import Page

__all__ = ["Answer", "Credential", "Fault", "HeaderAuth", "HttpProvider", "Moment", "one_of", "quoted"]

M = TypeVar("M", bound=BaseModel)

#: A credential as a caller may give it.
Credential = str | SecretStr | Callable[[], str | SecretStr]

_DONE: Final = frozenset({200, 201, 204})
_HEADERS: Final[Headers] = (
    (b"User-Agent", f"secretbridge/{__version__}".encode()),
    (b"Accept", b"application/json"),
    # Secrets are short and compression beside secrets leaks their length: ask for none.
    (b"Accept-Encoding", b"identity"),
)
_JSON: Final[Headers] = (*_HEADERS, (b"Content-Type", b"application/json"))

_STATUS: Final[Mapping[int, type[ProviderError]]] = {
    401: AuthenticationError,
    403: PermissionDenied,
    404: SecretNotFound,
    408: ProviderUnavailable,
    409: Conflict,
    410: SecretNotFound,
    425: ProviderUnavailable,
    429: RateLimited,
    507: QuotaExceeded,
}
_COMES_BACK: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_ADVICE: Final[Mapping[type[SecretBridgeError], str]] = {
    AuthenticationError: "Check that the credential is whole, current and of the right kind.",
    PermissionDenied: "The credential is known but may not do this; check its permissions.",
    SecretNotFound: "list_secrets() shows what is there.",
    SecretExists: "Use update_secret() to change it or put_secret() to replace it.",
    SecretProtected: "It has to be released at the provider, if that is possible there.",
    RateLimited: "Wait, or lower pace=.",
    QuotaExceeded: "Delete what is not needed or raise the quota at the provider.",
    WrongAddress: "Check base_url; redirects are never followed.",
    ProviderUnavailable: "Try again later.",
}
_LOOK_FIRST: Final = "Whether the change was made is not known: look before you repeat it."


class Answer(BaseModel):
    """Base of the models of vendors' answers: unknown fields are ignored, inputs never shown."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


#: A vendor's time; UTC where it names no zone.
Moment = Annotated[datetime, AfterValidator(_aware)]


@dataclass(frozen=True, slots=True)
class Fault:
    """What a vendor's refusal says, read from its body; texts are not yet scrubbed."""

    kind: type[SecretBridgeError] | None = None
    code: object = None
    violations: tuple[tuple[object, object], ...] = ()
    advice: str | None = None
    transient: bool | None = None


class HeaderAuth:
    """A credential in one header, with headers that belong to it.

    Args:
        parameter: what the credential is called in the adapter's signature, for errors.
        source: a text, or a callable that is asked at every exchange.
        header: the header's name.
        prefix: what stands before the credential, such as ``"Bearer "``.
        beside: further headers.
    """

    def __init__(
        self, parameter: str, source: Credential, *, header: str, prefix: str = "", beside: Headers = ()
    ) -> None:
        self._parameter = parameter
        self._header = header.encode()
        self._prefix = prefix.encode()
        self._beside = beside
        self.fixed = not callable(source)
        self._source = source if callable(source) else self._checked(source)

    def _checked(self, text: object) -> SecretStr:
        secret = text if isinstance(text, SecretStr) else SecretStr(text) if isinstance(text, str) else None
        problem = "is neither a text nor a callable that gives one" if secret is None else None
        if secret is not None:
            plain = secret.get_secret_value()
            if not plain.strip():
                problem = "is empty"
            elif plain != plain.strip() or not plain.isprintable() or not plain.isascii():
                problem = "holds white space at an end, a line break or a character that no header can carry"
        if problem is not None or secret is None:
            remedy = "strip what was read from a file; give the key alone, without its header's name"
            raise InvalidRequest(violations=[Violation(self._parameter, str(problem), remedy)])
        return secret

    def headers(self) -> Headers:
        """Give the headers; asks the callable where there is one."""
        source = self._source
        if callable(source):
            source = self._asked(source)
        return ((self._header, self._prefix + source.get_secret_value().encode()), *self._beside)

    def _asked(self, source: Callable[[], str | SecretStr]) -> SecretStr:
        failed = ""
        text: object = None
        try:
            text = source()
        except Exception as error:  # noqa: BLE001 - it may hold the credential: only its class is told
            failed = type(error).__name__
        if failed:
            raise AuthenticationError(
                f"Nothing was sent: the callable given as {self._parameter} raised {failed}.",
                advice="Call it by itself to see the cause.",
            )
        return self._checked(text)


def one_of(given: Mapping[str, object], what: str) -> str:
    """Give the name of the one argument that is not None.

    Raises:
        InvalidRequest: none or several are given.
    """
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        problem = f"{' and '.join(names)} are given together" if names else "none is given"
        remedy = f"give exactly one of {', '.join(given)}"
        raise InvalidRequest(violations=[Violation(what, problem, remedy)])
    return names[0]


def quoted(name: str) -> str:
    """Percent-encode a name as one segment of a path."""
    return quote(name, safe="")


def base_address(base_url: object, *, allow_http: bool) -> str:
    """Check a base URL and give it without a slash at its end.

    Raises:
        InvalidRequest: no https (http is for loopback, or needs ``allow_http=True``), no host, or a part
            that a base URL must not have. The URL itself is not shown: it may hold a password.
    """
    problems: list[tuple[str, str]] = []
    if not isinstance(base_url, str):
        problems.append(("is not a text", "give it as https://host/path"))
    elif any(ch.isspace() or not ch.isprintable() for ch in base_url):
        problems.append(("holds white space or control characters", "strip what was read from a file"))
    if problems:
        _refuse_address(problems)
    address = cast("str", base_url)
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, 0, urlsplit("")
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        problems.append(("is not an absolute URL", "write it with its scheme: https://host/path"))
    elif parts.scheme == "http" and not (allow_http or _is_loopback(host)):
        problems.append(
            ("would send secrets without encryption", "use https, or say allow_http=True in so many words")
        )
    if "@" in parts.netloc:
        problems.append(("holds a user name or password", "give the credential by its own argument"))
    if "?" in address or "#" in address:
        problems.append(("holds a query or fragment", "leave off what follows ? or #"))
    if problems:
        _refuse_address(problems)
    return address.rstrip("/")


def _refuse_address(problems: list[tuple[str, str]]) -> NoReturn:
    raise InvalidRequest(violations=[Violation("base_url", problem, remedy) for problem, remedy in problems])


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _retry_after(reply: Reply) -> float | None:
    """Read Retry-After, in seconds or as a date; None where there is none or it makes no sense."""
    text = reply.header("retry-after")
    if text is None:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text.strip()):
        return float(text)
    try:
        moment = _aware(parsedate_to_datetime(text))
    except (ValueError, OverflowError):
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _is_html(reply: Reply) -> bool:
    return (reply.header("content-type") or "").lower().startswith(("text/html", "application/xhtml"))


class HttpProvider:
    """Base of the HTTP adapters.

    Args:
        base_url: the API's address, without a slash at its end.
        auth: the credential's headers.
        allow_http: whether plain http may be used beyond loopback.
    """

    capabilities: Capabilities
    #: The header that carries the vendor's id of a request.
    _request_id: ClassVar[str] = "x-request-id"

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
        return await channel.exchange(request, lambda reply: self._judge(request, value, reply))

    def _judge(self, request: Request, value: SecretStr | None, reply: Reply) -> SecretBridgeError | None:
        """Say what is wrong with a reply, or None."""
        status = reply.status
        if status in _DONE:
            if not _is_html(reply):
                return None
            return UnexpectedReply(
                f"{self._answered(request, reply)}: a web page.",
                status=status,
                advice="Check base_url, and whether a proxy asks for a login. " + _LOOK_FIRST,
            )
        if 200 <= status < 300 or status < 200:  # noqa: PLR2004 - HTTP's classes
            return UnexpectedReply(
                f"{self._answered(request, reply)}, which this API does not use.",
                status=status,
                advice=_LOOK_FIRST,
            )
        secrets = [] if value is None else [value.get_secret_value()]
        secrets += [text.decode().split(" ")[-1] for _, text in request.credential]
        return self._refusal(request, reply, secrets)

    def _answered(self, request: Request, reply: Reply) -> str:
        named = f" of {request.secret!r}" if request.secret else ""
        return f"{self.capabilities.title} answered {reply.status} to the {request.operation}{named}"

    def _refusal(self, request: Request, reply: Reply, secrets: list[str]) -> SecretBridgeError:
        """Give the error for an answer that is no success; vendor codes go before statuses."""
        status = reply.status
        fault = self._fault(request, reply, read_json(reply))
        kind = fault.kind or self._kind(request, reply)
        advice = _ADVICE.get(kind, "") if fault.advice is None else fault.advice
        code = safe_token(fault.code, secrets)
        text = f"{self._answered(request, reply)}{f' ({code})' if code else ''}"
        if issubclass(kind, WrongAddress):
            return WrongAddress(f"{text}: this is not the API's address.", status=status, advice=advice)
        violations = [
            Violation(safe_token(field, secrets) or "?", said)
            for field, problem in fault.violations
            if (said := safe_text(problem, secrets))
        ]
        listed = "".join(f"; {violation}" for violation in violations)
        unknown = status == 408 or status >= 500  # noqa: PLR2004 - the server may have begun
        transient = status in _COMES_BACK if fault.transient is None else fault.transient
        if not issubclass(kind, ProviderError):
            raise TypeError(f"{kind.__name__} cannot stand for a refusal")
        return kind(
            f"{text}{listed}.",
            provider=self.capabilities.provider,
            operation=request.operation,
            status=status,
            code=code,
            request_id=safe_token(reply.header(self._request_id), secrets),
            violations=violations,
            advice=f"{advice} {_LOOK_FIRST}".strip() if unknown and not request.reads else advice,
            applied=None if unknown else False,
            transient=transient,
            retry_after=_retry_after(reply),
        )

    def _kind(self, request: Request, reply: Reply) -> type[SecretBridgeError]:
        """Choose the error by the status, where the vendor's code did not."""
        status = reply.status
        if 300 <= status < 400 or status == 405:  # noqa: PLR2004 - redirects; a method this API surely has
            return WrongAddress
        collection = request.operation == "list" or request.method == "POST"
        if status == 404 and (collection or _is_html(reply)):  # noqa: PLR2004 - not found
            return WrongAddress
        if status == 409 and request.operation in {"create", "put"}:  # noqa: PLR2004 - conflict
            return SecretExists
        return _STATUS.get(status, ProviderUnavailable if status >= 500 else Rejected)  # noqa: PLR2004

    def _fault(self, request: Request, reply: Reply, document: object) -> Fault:
        """Read a vendor's refusal; ``document`` is its JSON or None."""
        raise NotImplementedError

    def _parse_object(self, request_for: Operation, reply: Reply) -> None:
        """Check that a success holds an object, or nothing at all."""
        if reply.body.strip():
            self._parse(_Object, request_for, reply)

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
            f" documented shape ({wrong} places differ).",
            status=reply.status,
            applied=False if reads else None,
            advice="Check base_url; the API may also have changed." if reads else _LOOK_FIRST,
        )


class _Object(Answer):
    """An object whose fields do not matter."""


def read_json(reply: Reply) -> Any:  # noqa: ANN401 - anything at all may come
    """Give the reply's JSON, or None where there is none."""
    try:
        return from_json(reply.body)
    except ValueError:
        return None


def is_past(moment: datetime | None) -> bool:
    """Say whether an expiry has passed."""
    return moment is not None and moment <= datetime.now(UTC)


def to_json(document: object) -> bytes:
    """Write JSON for a request; values leave their SecretStr here, at the last moment."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=_plain).encode()


def _plain(value: object) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} has no place in a request")
