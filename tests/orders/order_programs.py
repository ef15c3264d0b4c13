"""Short programs by chance, and two clients that run them at the same time."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from order_check import Call, Done

from secretbridge.errors import Conflict, SecretBridgeError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence

    from order_check import Outcome

    from secretbridge import SecretBridge

    Ask = Callable[[SecretBridge, Call], Outcome]


def program(
    dice: random.Random, client: int, mix: Mapping[str, int], names: Sequence[str], length: int
) -> list[Call]:
    """Calls by chance; every value is written once, so that what is read tells who wrote it."""
    calls = []
    for number in range(length):
        (verb,) = dice.choices(list(mix), list(mix.values()))
        name, value = dice.choice(names), f"value {client}.{number}"
        given: dict[str, dict[str, Any]] = {
            "create": {"value": value},
            "put": {"value": value},
            "update": {"value": value},
            "describe": {"description": dice.choice((None, f"text {client}.{number}"))},
            "set_seen": {"value": value, "if_version": dice.randrange(1, 4)},
            "rename": {"new_name": next(one for one in names if one != name)},
        }
        calls.append(Call(verb, "" if verb == "list" else name, given.get(verb, {})))
    return calls


def told(ask: Ask, bridge: SecretBridge, call: Call) -> Outcome:
    """Make a call; what it came to. What is no error of ours gets out."""
    try:
        return ask(bridge, call)
    except Conflict as error:
        return (type(error).__name__, error.applied, error.current_version)
    except SecretBridgeError as error:
        return (type(error).__name__, error.applied)


def _seeing(call: Call, seen: Mapping[str, int]) -> Call:
    """Let a compare-and-set go by the version that its client saw last, if it saw one."""
    if "if_version" not in call.given or call.name not in seen:
        return call
    return replace(call, given={**call.given, "if_version": seen[call.name]})


def run_together(
    bridges: Sequence[SecretBridge],
    programs: Sequence[Sequence[Call]],
    ask: Ask,
    versions: Mapping[str, int] | None = None,
) -> list[list[Done]]:
    """Let each client run its program in a thread of its own, all at once; what became of each call.

    Args:
        bridges: one for each client.
        programs: one for each client.
        ask: makes a call.
        versions: what each client has seen before of the names that have versions.
    """
    start = threading.Barrier(len(bridges))
    found: list[list[Done]] = [[] for _ in bridges]
    failed: list[BaseException] = []

    def run(client: int) -> None:
        seen = dict(versions or {})
        start.wait()
        try:
            for planned in programs[client]:
                call = _seeing(planned, seen)
                began = time.monotonic_ns()
                outcome = told(ask, bridges[client], call)
                found[client].append(Done(client, call, outcome, began, time.monotonic_ns()))
                if outcome[0] == "done" and isinstance(outcome[-1], int):
                    seen[call.given.get("new_name", call.name)] = outcome[-1]
        except BaseException as error:  # noqa: BLE001 - raised below, in the thread that asked
            failed.append(error)

    threads = [threading.Thread(target=run, args=(client,)) for client in range(len(bridges))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return found


def overlap(clients: Sequence[Sequence[Done]]) -> bool:
    """Say whether calls of two clients were under way at the same time."""
    one, other = clients
    return any(mine.began < theirs.ended and theirs.began < mine.ended for mine in one for theirs in other)


def one_after_the_other(clients: Sequence[Sequence[Done]], first: int) -> list[list[Done]]:
    """The same calls as if one client had begun when the other had ended."""
    return [
        [replace(done, began=2 * (client != first), ended=2 * (client != first) + 1) for done in calls]
        for client, calls in enumerate(clients)
    ]
