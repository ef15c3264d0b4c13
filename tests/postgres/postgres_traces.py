"""What a server leaves behind of what it was told: everything logged, and a search through all its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

#: Options of a connection by which the server logs every statement with every parameter.
EVERYTHING: Final = " ".join(
    f"-c{setting}"
    for setting in (
        "log_statement=all",
        "log_min_duration_statement=0",
        "log_duration=on",
        "log_parameter_max_length=-1",
        "log_parameter_max_length_on_error=-1",
        "log_min_messages=debug5",
        "log_min_error_statement=debug5",
        "debug_print_parse=on",
        "debug_print_plan=on",
    )
)


def forms(text: str) -> list[bytes]:
    """The text as files and logs would show it, in parts of itself too."""
    plain = text.encode()
    return [plain, plain.hex().encode(), plain.hex().upper().encode(), text.encode("utf-16-le")]


def found(folder: Path, text: str) -> set[str]:
    """The files that hold the text."""
    places = set()
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if any(form in content for form in forms(text)):
                places.add(path.relative_to(folder).parts[0 if path.parent == folder else 1])
    return places
