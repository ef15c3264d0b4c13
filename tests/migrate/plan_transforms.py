"""Functions that tests name as transforms."""


def reversed_text(value: str) -> str:
    return value[::-1]


def twice(value: str) -> str:
    return value * 2


def failing(value: str) -> str:
    raise ValueError(value)


def no_text(value: str) -> object:
    return value.encode()
