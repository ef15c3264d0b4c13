"""Migrations of 1,000 to 100,000 secrets: time and memory for each, against a copy loop by hand.

    python benchmarks/migrate.py cost [--sizes 1000 10000 100000] [--pairs local:postgres dotenv:local]
    python benchmarks/migrate.py overhead [--size 5000]
    python benchmarks/migrate.py paced [--secrets 600] [--limit 40]

cost: each size in a process of its own, after one secret was migrated in it so that all code is loaded. The
time is that of plan and apply together, with the journal, and with the vault where its keys and old values
are kept; beside it stands what a run of one secret takes, and what each further secret takes; the memory is
the most that the process held beyond what it held after importing secretbridge. By hand is one loop: get from
the source, create at the target, nothing noted, nothing read back. Goal: cost per secret flat within 20 %, at
most 120 MB.

overhead: applying, and the same without a journal and without a vault for what is replaced, for creates and
updates.
Goal: at most 50 % more.

paced: a target that answers 429 to more than --limit requests a second. Goal: at least 95 % of the ideal,
none rejected after the first second, and the predicted time within 10 % of what it took.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from _serving import counts, ionet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from secretbridge._provider import Provider

HERE = Path(__file__).parent
VALUE = "sk_live_" + "x" * 32
KEY = "ionet-key"
_MEGABYTES = ("mb of one", "mb of plan", "mb")  # after one secret was migrated, after the plan, in the end


def memory() -> float:
    """Megabytes that this process has held at most."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def schema(folder: Path, name: str) -> str:
    """The URL of a schema of this run's own."""
    return f"{os.environ['BENCH_POSTGRES']}{name}_{folder.name.rpartition('-')[2]}"


def store(kind: str, folder: Path, name: str) -> Provider:
    """A store of a kind, below a folder."""
    from secretbridge import Dotenv, Local

    if kind == "dotenv":
        return Dotenv(folder / f"{name}.env")
    location = schema(folder, name) if kind == "postgres" else folder / f"{name}.db"
    return Local(location, key_file=folder / f"{name}.key")


def fill(kind: str, folder: Path, name: str, size: int, ending: str = "") -> None:
    """Make a store with so many secrets; in a process of its own, for its memory."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import migrate; migrate.filled(*sys.argv[2:])"
    arguments = [str(HERE), kind, str(folder), name, str(size), ending]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)


def filled(kind: str, folder: str, name: str, size: str, ending: str) -> None:
    """What that process does."""
    from secretbridge import Vault

    values = {f"SERVICE_{n:06}_API_KEY": f"{VALUE}{n}{ending}" for n in range(int(size))}
    if kind == "dotenv":
        path = Path(folder, f"{name}.env")
        path.write_text("".join(f"{one}={value}\n" for one, value in values.items()), encoding="ascii")
        path.chmod(0o600)
        return
    location = schema(Path(folder), name) if kind == "postgres" else Path(folder, f"{name}.db")
    with Vault(location, key_file=Path(folder, f"{name}.key")) as vault:
        vault.create_many(values)


def unnoted() -> None:
    """Let runs go without a journal: nothing is written down, and no commit is waited for."""
    from secretbridge.migrate import _begin, _journal

    class Unnoted(_journal.Journal):
        """Takes entries and keeps none."""

        def append(self, kind: str, data: object, *, waits: bool = True) -> None:
            """Do nothing."""

    _begin.Journal = Unnoted  # type: ignore[attr-defined] # the name that runs use


def of_one(kinds: Sequence[str], place: Path, name: str) -> float:
    """Migrate one secret between stores of their own; the seconds it took.

    The first time in a process everything is loaded by it. Another time it is what every run takes, however
    many its secrets: the target, the journal and the vault for what is replaced are made and synced.
    """
    from pydantic import SecretStr

    from secretbridge import SecretBridge, migrate

    source, target = (store(kind, place, f"{name}_{end}") for end, kind in enumerate(kinds))
    with SecretBridge(source) as bridge:
        bridge.put_secret("ONE", value=SecretStr(VALUE))
    began = time.perf_counter()
    vault = store("local", place, f"{name}_undo")
    migrate.plan(source, target, vault=vault, accept=["versions"]).apply(journal=place / name)
    return time.perf_counter() - began


def measured(how: str, pair: str, folder: str) -> None:
    """Do one run in this process and print what it took, as JSON.

    Args:
        how: "hand", "whole", "bare" (no journal, no vault for what is replaced).
        pair: source and target, such as ``dotenv:local``.
        folder: where the stores are.
    """
    from secretbridge import SecretBridge, migrate

    before, peak_of_plan = memory(), 0.0
    place = Path(folder)
    os.environ["XDG_STATE_HOME"] = folder
    kinds = pair.split(":")
    of_one(kinds, place, "warm")
    fixed = of_one(kinds, place, "one") if how == "whole" else 0.0
    source, target = store(kinds[0], place, "source"), store(kinds[1], place, "target")
    began, planned, mb_of_one = time.perf_counter(), 0.0, memory() - before
    if how == "hand":
        with SecretBridge(source) as mine, SecretBridge(target, pace=None) as theirs:
            if kinds[0] == "dotenv":
                from dotenv import dotenv_values

                for name, value in dotenv_values(place / "source.env", interpolate=False).items():
                    theirs.create_secret(name, value=value or "")
            else:
                for secret in mine.iter_secrets():
                    theirs.create_secret(secret.name, value=mine.get_secret(secret.name).reveal())
    else:
        if how == "bare":
            unnoted()
        vault = None if how == "bare" else store("local", place, "undo")
        plan = migrate.plan(source, target, vault=vault, on_conflict="update", accept=["versions"])
        planned, peak_of_plan = time.perf_counter() - began, memory() - before
        plan.apply(journal=place / "runs")
    took = time.perf_counter() - began
    told = {"seconds": took, "planned": planned, "fixed": fixed}
    told |= {"mb of one": mb_of_one, "mb of plan": peak_of_plan, "mb": memory() - before}
    print(json.dumps(told))


def run(how: str, pair: str, folder: Path) -> dict[str, float]:
    """Do one run in a process of its own."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import migrate; migrate.measured(*sys.argv[2:])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(HERE), how, pair, str(folder)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    told: dict[str, float] = json.loads(done.stdout)
    return told


@contextlib.contextmanager
def scene(pair: str, size: int, *, there: bool = False) -> Iterator[Path]:
    """A folder with a source of so many secrets, and a target with the same names where that is wanted."""
    source, target = pair.split(":")
    with tempfile.TemporaryDirectory(dir=".", prefix=".migrate-") as folder:
        place = Path(folder).absolute()
        place.chmod(0o700)
        fill(source, place, "source", size)
        if there:
            fill(target, place, "target", size, "-old")
        yield place


def cost(options: argparse.Namespace) -> None:
    """Print time and memory for each pair and size: medians of the rounds."""
    print(
        "| pair | secrets | by hand | migrated | of by hand | plan | apply | a run of one | each beyond it"
        " | memory: one | plan | run |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for pair in options.pairs:
        for size in options.sizes:
            short = size <= options.most_by_hand
            hand: list[float] = []
            told: list[dict[str, float]] = []
            for _ in range(options.rounds if short else 1):
                if short:
                    with scene(pair, size) as folder:
                        hand.append(run("hand", pair, folder)["seconds"] / size * 1e6)
                with scene(pair, size) as folder:
                    told.append(run("whole", pair, folder))
            each = median([done["seconds"] / size * 1e6 for done in told])
            plan = median([done["planned"] / size * 1e6 for done in told])
            fixed = median([done["fixed"] for done in told])
            beyond = median([(done["seconds"] - done["fixed"]) / (size - 1) * 1e6 for done in told])
            ratio = f"{each / median(hand):.2f}" if hand else "-"
            by_hand = f"{median(hand):.0f} µs" if hand else "-"
            one, peak, whole = (median([done[part] for done in told]) for part in _MEGABYTES)
            print(
                f"| {pair.replace(':', ' → ')} | {size:,} | {by_hand} | {each:.0f} µs | {ratio}"
                f" | {plan:.0f} µs | {each - plan:.0f} µs | {fixed * 1e3:.0f} ms | {beyond:.0f} µs"
                f" | {one:.0f} MB | {peak:.0f} MB | {whole:.0f} MB |",
                flush=True,
            )


def overhead(options: argparse.Namespace) -> None:
    """Print what journal and undo add to applying: the median of the rounds' ratios."""
    for pair in options.pairs:
        for there in (False, True):
            times: dict[str, list[float]] = {"bare": [], "whole": []}
            for _ in range(options.rounds):
                for how, taken in times.items():
                    with scene(pair, options.size, there=there) as folder:
                        told = run(how, pair, folder)
                        taken.append(told["seconds"] - told["planned"])
            more = median([whole / bare for bare, whole in zip(*times.values(), strict=True)])
            bare, whole = (median(taken) / options.size * 1e6 for taken in times.values())
            verb = "updates" if there else "creates"
            print(
                f"{pair.replace(':', ' → ')}, {options.size:,} {verb}: {bare:.0f} µs"
                f" without journal and vault, {whole:.0f} µs with: {more - 1:+.0%}",
                flush=True,
            )


def paced(options: argparse.Namespace) -> None:
    """Print how near to the ideal a run to a rate-limited target comes."""
    from secretbridge import Dotenv, IoNet, SecretBridge, migrate

    with tempfile.TemporaryDirectory() as folder, ionet(options.limit, 1) as (url, process):
        os.environ["XDG_STATE_HOME"] = folder
        Path(folder).chmod(0o700)
        path = Path(folder, "source.env")
        path.write_text("".join(f"KEY_{n:05}={VALUE}{n}\n" for n in range(options.secrets)), encoding="ascii")
        path.chmod(0o600)
        with SecretBridge(IoNet(api_key=KEY, base_url=url), pace=options.limit * 60) as target:
            plan = migrate.plan(Dotenv(path), target)
            time.sleep(1.5)
            counts(process)
            early: list[tuple[int, int]] = []
            began = time.perf_counter()

            def watch(_: migrate.Event) -> None:
                if not early and time.perf_counter() - began > 1:
                    early.append(counts(process))

            plan.apply(journal=Path(folder, "runs"), progress=watch)
            took = time.perf_counter() - began
        rejected, came = counts(process)
    at_first, first = early[0]
    came += first
    ideal = came / options.limit
    predicted = plan.estimates.seconds
    print(
        f"{options.secrets} secrets, {came} requests at {options.limit} a second: {took:.1f} s,"
        f" {ideal / took:.1%} of the ideal; {rejected} rejected, {rejected - at_first} after the first"
        f" second; predicted {predicted:.1f} s ({took / predicted - 1:+.1%})"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["cost", "overhead", "paced"])
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--most-by-hand", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pairs", nargs="*", default=["local:postgres", "dotenv:local"])
    parser.add_argument("--secrets", type=int, default=600)
    parser.add_argument("--limit", type=int, default=40)
    options = parser.parse_args()
    if options.what == "paced":
        paced(options)
        return
    with served(any("postgres" in pair for pair in options.pairs)):
        (cost if options.what == "cost" else overhead)(options)


@contextlib.contextmanager
def served(wanted: bool) -> Iterator[None]:  # noqa: FBT001 - private to this file
    """A PostgreSQL server with fsync on, where one is wanted."""
    if not wanted:
        yield
        return
    sys.path.insert(0, str(HERE.parent / "tests" / "postgres"))
    from postgres_server import Server

    server = Server(fsync="on")
    os.environ["BENCH_POSTGRES"] = server.url("t_")
    try:
        yield
    finally:
        server.remove()


if __name__ == "__main__":
    main()
