"""What the tests of files share: the two formats, and what a file holds as another reader sees it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dotenv import dotenv_values

from secretbridge import SecretBridge
from secretbridge.providers.dotenv import Dotenv
from secretbridge.providers.jsonfile import JsonFile

if TYPE_CHECKING:
    from pathlib import Path

    from secretbridge.providers._file_provider import FileProvider

FORMATS: list[type[FileProvider]] = [Dotenv, JsonFile]


def read(path: Path) -> dict[str, Any]:
    """Read it as those would who do not know of secretbridge."""
    if path.suffix == ".json":
        return dict(json.loads(path.read_text(encoding="utf-8")))
    return dict(dotenv_values(path, interpolate=False))


def new_path(folder: Path, kind: type[FileProvider]) -> Path:
    return folder / ("secrets.json" if kind is JsonFile else ".env")


def opened(folder: Path, kind: type[FileProvider], **values: str) -> tuple[Path, SecretBridge]:
    """Give a file that holds these, and a bridge to it."""
    path = new_path(folder, kind)
    bridge = SecretBridge(kind(path))
    for name, value in values.items():
        bridge.create_secret(name, value=value)
    return path, bridge
