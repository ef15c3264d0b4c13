"""What starting the command line costs, beside bare python, in one run.

    python benchmarks/cli.py [--rounds 15]

Each process is started once a round; medians, and their ratio to `python -c pass` = 1.00. Goals: --help and
completion at most 6 times bare python, `list` on the vault at most 250 ms over it.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

#: What the installed script does.
SCRIPT = (sys.executable, "-c", "import sys; from secretbridge.cli import main; sys.exit(main())")


def completing(words: str) -> dict[str, str]:
    """What bash sets when TAB is pressed after these words."""
    count = str(len(words.split(" ")) - 1)
    return {"_SECRETBRIDGE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": count}


#: A file that names the vault and two more stores.
FILE = (
    '[connections.team]\nprovider = "local"\n'
    '[connections.app]\nprovider = "dotenv"\npath = "app.env"\n'
    '[connections.prod]\nprovider = "wix"\nsite_id = "site"\napi_key = "env:WIX_API_KEY"\n'
)
IN_A_FILE = {"SECRETBRIDGE_CONFIG": "secretbridge.file"}
WAYS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "python -c pass": ((sys.executable, "-c", "pass"), {}),
    "secretbridge --help": ((*SCRIPT, "--help"), {}),
    "secretbridge update --help": ((*SCRIPT, "update", "--help"), {}),
    "completing a command": (SCRIPT, completing("secretbridge up")),
    "completing an option": (SCRIPT, completing("secretbridge update --exp")),
    "completing a connection": (SCRIPT, completing("secretbridge list v")),
    "completing a secret's name": (SCRIPT, completing("secretbridge get --in vault T")),
    "completing it behind quotes": (
        SCRIPT,
        completing("secretbridge update --to vault --generate --description 'words' T"),
    ),
    "secretbridge list vault": ((*SCRIPT, "list", "vault"), {}),
    "completing a connection of a file": (SCRIPT, completing("secretbridge list t") | IN_A_FILE),
    "secretbridge list team, of a file": ((*SCRIPT, "list", "team"), IN_A_FILE),
    "secretbridge get TOKEN-1 --in vault": ((*SCRIPT, "get", "TOKEN-1", "--in", "vault"), {}),
    "python -c 'import click' (peer)": ((sys.executable, "-c", "import click"), {}),
    "python -c 'import httpx' (peer)": ((sys.executable, "-c", "import httpx"), {}),
    "python -c 'import rich.table' (peer)": ((sys.executable, "-c", "import rich.console, rich.table"), {}),
}


def milliseconds(words: tuple[str, ...], environment: dict[str, str]) -> tuple[float, float]:
    """Give the time of one process, by the clock and of the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(words, env=environment, capture_output=True, check=True)
    took = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took * 1e3, (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="secretbridge-") as folder:
        base = {name: text for name, text in os.environ.items() if not name.startswith("SECRETBRIDGE_")}
        for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
            path = Path(folder, name.lower())
            path.mkdir(mode=0o700)
            base[name] = str(path)
        root = str(Path(__file__).parents[1])
        # As installed: with bytecode, which an installer writes.
        base.pop("PYTHONDONTWRITEBYTECODE", None)
        base["PYTHONPYCACHEPREFIX"] = str(Path(folder, "bytecode"))
        base["PYTHONPATH"] = os.pathsep.join(filter(None, (root, base.get("PYTHONPATH", ""))))
        os.chdir(folder)
        Path("secretbridge.file").write_text(FILE, encoding="utf-8")
        Path("secretbridge.file").chmod(0o600)
        for number in range(20):
            words = (*SCRIPT, "create", f"TOKEN-{number}", "--to", "vault", "--generate")
            subprocess.run(words, env=base, check=True, capture_output=True)
        for once, more in WAYS.values():
            milliseconds(once, base | more)
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
        for _ in range(options.rounds):
            for name, (way, more) in WAYS.items():
                times[name].append(milliseconds(way, base | more))
    clock, processor = middles(times["python -c pass"])
    for name, took in times.items():
        seen, spent = middles(took)
        by_clock = f"{seen:7.1f} ms  {seen / clock:5.2f}  +{seen - clock:.1f} ms"
        by_processor = f"{spent:7.1f} ms  {spent / processor:5.2f}  +{spent - processor:.1f} ms"
        print(f"{name:40} {by_clock}; processor {by_processor}")


def middles(took: list[tuple[float, float]]) -> tuple[float, float]:
    """Give the medians of both times."""
    return statistics.median(one for one, _ in took), statistics.median(other for _, other in took)


if __name__ == "__main__":
    main()
