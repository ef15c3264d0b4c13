"""Fields in columns, one for all rows: where there are very many, an object for each is too much."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

__all__ = ["Rare", "Row", "Word"]

T = TypeVar("T")


class Row(Protocol):
    """What has such fields: a view of one place in the columns."""

    columns: dict[str, Any]
    n: int


class Word(Generic[T]):
    """A field of a row that is one of a few words: one byte for each."""

    def __init__(self, *words: T) -> None:
        self._words = words
        self._codes = {word: code for code, word in enumerate(words)}

    def __set_name__(self, owner: type[Row], name: str) -> None:
        self._name = name

    def column(self, size: int) -> bytearray:
        """Give the first of the words for all."""
        return bytearray(size)

    def __get__(self, row: Row, owner: type[Row]) -> T:
        code: int = row.columns[self._name][row.n]
        return self._words[code]

    def __set__(self, row: Row, word: T) -> None:
        row.columns[self._name][row.n] = self._codes[word]


class Rare(Generic[T]):
    """A field of a row that few have at a time: kept for those alone."""

    def __init__(self, usual: T) -> None:
        self._usual = usual

    def __set_name__(self, owner: type[Row], name: str) -> None:
        self._name = name

    def column(self, size: int) -> dict[int, T]:  # noqa: ARG002 - as the other kind has it
        """Give the usual for all."""
        return {}

    def __get__(self, row: Row, owner: type[Row]) -> T:
        found: T = row.columns[self._name].get(row.n, self._usual)
        return found

    def __set__(self, row: Row, content: T) -> None:
        if content == self._usual:
            row.columns[self._name].pop(row.n, None)
        else:
            row.columns[self._name][row.n] = content
