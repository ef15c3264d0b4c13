"""What importing costs, over bare python; and the time from process start to a first local update.

    python benchmarks/importing.py [--rounds 15]

Prints medians in milliseconds over `python -c pass`. Goals: `import secretbridge` at most +30 ms,
`from secretbridge import SecretBridge, Local` at most +150 ms.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FIRST_UPDATE = """
from secretbridge import Local, SecretBridge
with SecretBridge(Local({vault!r}, key_file={key!r})) as bridge:
    bridge.update_secret("TOKEN", value="value-1")
"""
WAYS = {
    "python -c pass": "pass",
    "import secretbridge": "import secretbridge",
    "from secretbridge import SecretBridge, Local": "from secretbridge import SecretBridge, Local",
    "… and a first update of an existing vault": FIRST_UPDATE,
    "import httpx (peer)": "import httpx",
    "import pydantic.BaseModel (peer)": "from pydantic import BaseModel",
    "import hvac (peer, if installed)": "import hvac",
}


def milliseconds(code: str) -> float | None:
    """Give the time of one process, or None where the code fails."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    return (time.perf_counter() - started) * 1e3 if done.returncode == 0 else None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = {"vault": str(Path(folder, "vault.db")), "key": str(Path(folder, "vault.key"))}
        made = FIRST_UPDATE.format(**paths).replace("update_secret", "create_secret")
        subprocess.run([sys.executable, "-c", made], check=True)
        times: dict[str, list[float]] = {}
        for _ in range(options.rounds):
            for name, code in WAYS.items():
                took = milliseconds(code.format(**paths) if code is FIRST_UPDATE else code)
                if took is not None:
                    times.setdefault(name, []).append(took)
    bare = statistics.median(times["python -c pass"])
    for name, took_all in times.items():
        print(f"{name:48} {statistics.median(took_all):7.1f} ms   +{statistics.median(took_all) - bare:.1f}")


if __name__ == "__main__":
    main()
