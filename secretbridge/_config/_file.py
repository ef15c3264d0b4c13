"""A file of connections: found, read, and checked as a whole."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from secretbridge._config import _access
from secretbridge._config._search import VARIABLE, explicit
from secretbridge._json import is_object
from secretbridge.errors import InvalidRequest, Violation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from secretbridge._config._check import Finding

# _check and _lines load late: names alone are had without them.

__all__ = ["File", "read"]

_MOST: Final = 262_144
_CONNECTION: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_AT: Final = re.compile(r"\(at line (\d+), column \d+\)$")


@dataclass(frozen=True, slots=True, repr=False)
class File:
    """A file that was checked: its connections by name, as tomllib gives them."""

    path: Path
    text: str
    connections: Mapping[str, Mapping[str, object]]

    def place(self, *path: str) -> str:
        """Give ``FILE:LINE`` of a key, or of the table around it."""
        from secretbridge._config._lines import line_of, lines

        return f"{self.path}:{line_of(lines(self.text), path)}"

    def violation(self, finding: Finding) -> Violation:
        """Say where a finding is."""
        return Violation(self.place(*finding.path), finding.problem, finding.remedy)


def read(path: Path, *, chosen: bool, wanted: str) -> File:
    """Read a file and check all of it.

    Args:
        path: the file.
        chosen: whether the caller named it.
        wanted: the connection that is asked for. Its provider must be installed, those of others need not.

    Raises:
        InvalidRequest: it cannot be read, others can write it, it is no TOML, or something in it is not as
            it must be; every violation names the line, none what stands there.
    """
    target = shlex.quote(str(path))
    content, problem, remedy = _access.read(path, _MOST, named=str(path), target=target, chosen=chosen)
    if problem:
        if chosen and explicit(None) == path:
            remedy = f"{remedy}; {VARIABLE} names it"
        raise InvalidRequest(violations=[Violation(str(path), problem, remedy)])
    text, tree, violation = _parsed(path, content)
    if violation is not None:
        raise InvalidRequest(violations=[violation])
    from secretbridge._config._lines import line_of, lines

    findings, connections = _checked(tree, wanted)
    file = File(path, text, connections)
    if findings:
        found = sorted(findings, key=lambda finding: line_of(lines(text), finding.path))
        raise InvalidRequest(violations=[file.violation(finding) for finding in found])
    return file


def _parsed(path: Path, content: bytes) -> tuple[str, dict[str, object], Violation | None]:
    """Parse; an error of tomllib may quote the text, so only its line is kept."""
    text, line, problem = "", 1, ""
    tree: dict[str, object] = {}
    import tomllib  # late: mostly there is no file, or the names alone are wanted

    try:
        text = content.decode().replace("\r\n", "\n")
        tree = tomllib.loads(text)
    except UnicodeDecodeError as failure:
        line = content.count(b"\n", 0, failure.start) + 1
        problem = "is not UTF-8"
    except RecursionError:
        problem = "is nested too deeply"
    except ValueError as failure:  # TOMLDecodeError, and numbers too long for int()
        said = str(failure)
        at = _AT.search(said)
        line = int(at[1]) if at else text.count("\n") + 1  # else it is the end of the document
        # The texts of tomllib for what TOML allows once begin so.
        twice = said.startswith(("Cannot ", "Duplicate "))
        problem = "gives a key or table a second time" if twice else "is not valid TOML"
    if not problem:
        return text, tree, None
    remedy = "save it as UTF-8" if problem == "is not UTF-8" else "texts stand in quotes, and each key once"
    return "", {}, Violation(f"{path}:{line}", problem, remedy)


def _checked(tree: dict[str, object], wanted: str) -> tuple[list[Finding], dict[str, Mapping[str, object]]]:
    """Check everything that was read."""
    from secretbridge._config._check import Finding, connection_findings, nearest

    findings = [
        Finding((key,), "unknown key", nearest(key, ["connections"])) for key in tree if key != "connections"
    ]
    connections = tree.get("connections", {})
    if not is_object(connections):
        findings.append(Finding(("connections",), "connections is not a table", "write [connections.NAME]"))
        return findings, {}
    for name, table in connections.items():
        where = ("connections", name)
        if not _CONNECTION.fullmatch(name):
            remedy = "give it 1 to 64 letters, digits, - and _; with dots, in quotes"
            findings.append(Finding(where, "the connection's name cannot be used", remedy))
        if is_object(table):
            findings += connection_findings(where, table, wanted=name == wanted)
        else:
            findings.append(Finding(where, "the connection is not a table", "write [connections.NAME]"))
    return findings, connections
