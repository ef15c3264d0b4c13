"""A dotenv file, read and written as python-dotenv reads it."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from secretbridge._capabilities import Limit
from secretbridge.errors import InvalidRequest
from secretbridge.providers._file_provider import FileProvider, Unfit, file_capabilities

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dotenv.parser import Binding

    from secretbridge._capabilities import Capabilities
    from secretbridge.providers._file_provider import Entries

    _Parse = Callable[[str], Iterator[Binding]]

# python-dotenv is optional and loads when the first file is read.

__all__ = ["Dotenv"]

_BOM: Final = "\ufeff"
#: Before the value, as python-dotenv takes it: blank lines and export, the name, the sign.
_HEAD: Final = re.compile(r"(\s*(?:export[^\S\r\n]+)?)('[^']+'|[^=#\s]+)([^\S\r\n]*)(=[^\S\r\n]*)?")
_QUOTED: Final = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\"""", re.DOTALL)
_COMMENT: Final = re.compile(r"[^\S\r\n]+#[^\r\n]*")
_PLAIN_NAME: Final = re.compile(r"[^'=#\s][^=#\s]*")
#: What needs no quotes here nor in a shell.
_PLAIN_VALUE: Final = re.compile(r"[A-Za-z0-9_./:@%+,=-]+")
#: A next line that a value whose end was missed would swallow.
_PROBE: Final = "PROBE='\"'\n"


class Dotenv(FileProvider):
    """A dotenv file.

    What python-dotenv reads from it (``dotenv_values(path, interpolate=False)``) is what it holds. A change
    touches the entry that it is about and leaves all else as it is, byte for byte: comments, blank lines,
    order, quoting, ``export``, line ends.

    - Of several entries of one name the last counts. An update changes that one; delete and rename take the
      earlier ones away, which would count again otherwise.
    - A name without ``=`` has no value: it is no secret, and a put gives it one.
    - Values are taken as written, ``${NAME}`` included.

    ``read_many(channel, names)`` and ``write_many(channel, writes)``, beyond the protocol, read and replace
    the file once for many entries.

    Args:
        path: the file. It needs the extra ``secretbridge[dotenv]``.
        create: whether a file that is absent reads as empty and is created, 0600, at the first write.

    Raises:
        InvalidRequest: an argument is malformed.
    """

    capabilities: Capabilities = file_capabilities(
        provider="dotenv",
        title="the dotenv file",
        name=Limit(
            min_length=1,
            pattern=r"(?!\ufeff)(?:[^'=#\s][^=#\s]*|[^'=]+)",
            meaning="all but =, and ' only inside a name that has neither spaces nor #",
        ),
        value=Limit(pattern=r"[^\x00]*", meaning="without the character NUL, which no environment holds"),
        notes=MappingProxyType(
            {
                "value": "kept as written: load_dotenv() replaces ${NAME} unless interpolate=False,"
                " and no quoting prevents that",
                "duplicates": "the last one counts and is the one that is changed",
            }
        ),
    )

    def _parsed(self, text: str) -> Entries | Unfit:
        parse = _parser()
        lines = _Lines(_BOM if text.startswith(_BOM) else "", parse)
        return self._read_into(text, parse, lines.add) or lines

    def _values(self, text: str) -> Mapping[str, str] | Unfit:
        parse = _parser()
        values: dict[str, str] = {}

        def add(binding: Binding) -> None:
            if binding.key is not None:
                _take(values, binding.key, _value(binding, parse))

        return self._read_into(text, parse, add) or values

    @staticmethod
    def _read_into(text: str, parse: _Parse, add: Callable[[Binding], None]) -> Unfit | None:
        """Hand each piece over in turn; says what is wrong with one, or with the whole."""
        bare = text.removeprefix(_BOM)
        place = 0
        for binding in parse(bare):
            string = binding.original.string
            if binding.error:
                blank = string[: len(string) - len(string.lstrip())]
                line = binding.original.line + len(re.findall(r"\r\n|\n|\r", blank))
                remedy = "put quotes round a value with quotes or line ends in it"
                return Unfit(f"line {line} is not as python-dotenv can read it", remedy)
            if not bare.startswith(string, place):
                break
            place += len(string)
            add(binding)
        if place != len(bare):
            return Unfit("is not read whole by python-dotenv", "look for a second byte order mark")
        return None


def _parser() -> Callable[[str], Iterator[Binding]]:
    """Give python-dotenv's parser, for a text.

    Raises:
        InvalidRequest: it is not installed.
    """
    try:
        from dotenv.parser import parse_stream
    except ImportError:
        parse_stream = None  # type: ignore[assignment]  # the next lines end it
    if parse_stream is None:
        raise InvalidRequest(
            "Dotenv needs python-dotenv, which is not installed.",
            advice="Install it: pip install 'secretbridge[dotenv]'",
        )
    return lambda text: parse_stream(_Whole(text))  # type: ignore[arg-type]  # read() is all that it asks for


class _Whole:
    """A text to be read in one go; a StringIO would hold it a second time, four bytes to the character."""

    def __init__(self, text: str) -> None:
        self._text = text

    def read(self) -> str:
        """Give all of it."""
        return self._text


class _Lines:
    """A dotenv file in pieces: what belongs to an entry, or to none."""

    def __init__(self, bom: str, parse: Callable[[str], Iterator[Binding]]) -> None:
        self.values: dict[str, str] = {}
        self._bom = bom
        self._parse = parse
        self._pieces: list[str] = []
        self._places: dict[str, list[int]] = {}
        self._changed: dict[int, str] = {}

    def add(self, binding: Binding) -> None:
        """Take up the next piece of the file."""
        if binding.key is not None:
            self._places.setdefault(binding.key, []).append(len(self._pieces))
            _take(self.values, binding.key, _value(binding, self._parse))
        self._pieces.append(binding.original.string)

    def whole(self) -> str:
        """Give the pieces together."""
        return self._bom + "".join(self._pieces)

    def put(self, name: str, value: str) -> None:
        """Change the last entry of a name, or add one at the end; one that is so already is left as it is."""
        if self.values.get(name) == value:
            return
        written = _written(value)
        if name in self._places:
            place = self._places[name][-1]
            head, tail = _frame(self._pieces[place], self.values.get(name))
            self._pieces[place] = head + written + tail
        else:
            place = len(self._pieces)
            first = re.search(r"\r\n|\n|\r", self._pieces[0]) if place else None
            line_end = "\r\n" if first is not None and first[0] == "\r\n" else "\n"
            if place and self._pieces[-1] and not self._pieces[-1].endswith(("\n", "\r")):
                self._pieces[-1] += line_end
            self._pieces.append(f"{_written_name(name)}={written}{line_end}")
            self._places[name] = [place]
        self.values[name] = value
        self._changed[place] = name

    def drop(self, name: str) -> None:
        """Take all entries of a name away, and leave the blank lines before them."""
        if self.values.pop(name, None) is None:
            return
        for place in self._places.pop(name):
            self._take(place)

    def _take(self, place: int) -> None:
        piece = self._pieces[place]
        blank = piece[: len(piece) - len(piece.lstrip())]
        self._pieces[place] = blank[: max(blank.rfind("\n"), blank.rfind("\r")) + 1]
        self._changed.pop(place, None)

    def rename(self, name: str, new_name: str) -> None:
        """Rename the last entry; earlier ones, and names without a value in the way, are taken away."""
        *earlier, place = self._places.pop(name)
        for other in (*earlier, *self._places.pop(new_name, ())):
            self._take(other)
        piece = self._pieces[place]
        head = _head(piece)
        self._pieces[place] = piece[: head.start(2)] + _written_name(new_name) + piece[head.end(2) :]
        self._places[new_name] = [place]
        self.values[new_name] = self.values.pop(name)
        self._changed[place] = new_name

    def text(self) -> str | Unfit:
        """Give the whole, after python-dotenv has read back each changed entry."""
        lost = [
            name
            for place, name in self._changed.items()
            if not self._reads_back(self._pieces[place], name, self.values[name])
        ]
        if lost:
            names = ", ".join(map(repr, lost[:10]))
            remedy = "upgrade python-dotenv, or keep it elsewhere"
            return Unfit(f"cannot hold the value of {names}: python-dotenv would read another", remedy)
        return self.whole()

    def _reads_back(self, piece: str, name: str, value: str) -> bool:
        between = "" if piece.endswith(("\n", "\r")) else "\n"
        read = [(one.key, _value(one, self._parse)) for one in self._parse(f"{piece}{between}{_PROBE}")]
        return read == [(name, value), ("PROBE", '"')]


def _take(values: dict[str, str], name: str, value: str | None) -> None:
    """Let the last entry of a name hold; one without a value takes an earlier one away."""
    if value is None:
        values.pop(name, None)
    else:
        values[name] = value


def _value(binding: Binding, parse: _Parse) -> str | None:
    """Give the value as from a file: python-dotenv opens it with line ends made one."""
    if binding.value is None or "\r" not in binding.original.string.strip():
        return binding.value
    return next(parse(re.sub(r"\r\n?", "\n", binding.original.string))).value


def _head(piece: str) -> re.Match[str]:
    """Give the beginning of an entry; there is one, for python-dotenv found its name there."""
    return next(_HEAD.finditer(piece))


def _written_name(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else f"'{name}'"


def _written(value: str) -> str:
    """Write a value: as it is, in single quotes, or in double ones, which can hold a carriage return."""
    if _PLAIN_VALUE.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\")
    if "\r" in value:
        escaped = escaped.replace('"', '\\"').replace("\r", "\\r").replace("\n", "\\n")
        return f'"{escaped}"'
    escaped = escaped.replace("'", "\\'")
    return f"'{escaped}'"


def _frame(piece: str, value: str | None) -> tuple[str, str]:
    """Give what stands before and after an entry's value: name and sign, comment and line end."""
    head = _head(piece)
    start = head.end()
    if head[4] is None:
        return f"{piece[: head.end(2)]}=", piece[head.end(2) :]
    quoted = _QUOTED.match(piece, start)
    if quoted is not None:
        tail = piece[quoted.end() :]
    elif not value and piece.startswith("#", start):
        tail = piece[start:]
    else:
        comment = _COMMENT.search(piece, start)
        tail = piece[comment.start() if comment else max(start, len(piece.rstrip())) :]
    return piece[:start], f" {tail}" if tail.startswith("#") else tail
