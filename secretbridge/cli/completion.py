"""``completion``: the script that makes a shell complete commands, connections and secrets."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from secretbridge.cli._command import command
from secretbridge.cli._kinds import OneOf

if TYPE_CHECKING:
    from secretbridge.cli._session import Session

__all__ = ["completion"]


@command("completion", json=False)
@click.argument("shell", type=OneOf("bash", "zsh", "fish"))
def completion(session: Session, shell: str) -> None:  # noqa: ARG001 - every command gets the session
    r"""Print the completion script for a shell.

    \b
    bash, in ~/.bashrc:  eval "$(secretbridge completion bash)"
    zsh, in ~/.zshrc:    eval "$(secretbridge completion zsh)"
    fish:                secretbridge completion fish > ~/.config/fish/completions/secretbridge.fish

    Names of secrets are completed only where that needs no prompt and no network: from a vault with a key
    file, from dotenv and JSON files. They are read each time and kept nowhere.
    """
    from click.shell_completion import ShellComplete, get_completion_class

    from secretbridge.cli._table import ROOT

    kind = get_completion_class(shell)
    if kind is not None:  # pragma: no branch - click has a class for each word that SHELL takes
        made = kind(ROOT, {}, "secretbridge", "_SECRETBRIDGE_COMPLETE")
        # Not BashComplete.source, which starts a bash to ask for its version.
        sys.stdout.write(ShellComplete.source(made))
