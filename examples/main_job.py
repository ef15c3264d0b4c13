"""The main job, for real, on an embedded vault in a temporary folder.

    python examples/main_job.py [FILE]

A dotenv file goes in, one value is changed, one description cleared, an update that the store cannot hold is
refused with advice, and the result is listed. Needs the extra ``secretbridge[dotenv]``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from secretbridge import Dotenv, InvalidRequest, Local, SecretBridge


def main(source: Path) -> None:
    """Do it and say what happens."""
    with SecretBridge(Dotenv(source, create=False)) as file:
        entries = {entry.name: file.get_secret(entry.name).reveal() for entry in file.list_secrets()}
    with tempfile.TemporaryDirectory(prefix="secretbridge-") as folder:
        vault = Local(Path(folder, "vault.db"), key_file=Path(folder, "vault.key"))
        with SecretBridge(vault) as bridge:
            for name, value in entries.items():
                bridge.create_secret(name, value=value, description=f"from {source.name}")
            print(f"{len(entries)} entries of {source.name} are in the vault.")

            changed = bridge.update_secret("OAUTH_TOKEN", value="second-token", verify=True)
            print(f"OAUTH_TOKEN has a new value: version {changed.version}, read back: {changed.verified}.")

            cleared = bridge.update_secret("SMTP_PASSWORD", description=None)
            print(f"SMTP_PASSWORD has no description now: {cleared.description}.")

            try:
                bridge.update_secret("STRIPE_KEY", tool_name="billing", new_name="STRIPE/KEY")
            except InvalidRequest as refused:
                print(f"An update of STRIPE_KEY was refused, applied: {refused.applied}. {refused}")

            print(f"\n{'name':16} {'version':>7}  description")
            for secret in bridge.iter_secrets():
                print(f"{secret.name:16} {secret.version:7}  {secret.description or '–'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("example.env"))
