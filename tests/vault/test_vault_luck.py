"""The long runs of benchmarks/luck.py in their short form: kills, flips, and many processes at once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def said(folder: Path, *arguments: str) -> str:
    """What the long run's command says of a short one; it fails where anything was lost."""
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "luck.py", *arguments, "--folder", folder],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT)},  # without coverage's variables: killed children leave torn data
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


def test_nothing_acknowledged_is_lost_by_kills_whatever_they_interrupt(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    found = said(tmp_path, "kills", "--rounds", "20")
    assert re.fullmatch(r"kills: 20 \(.*\); [\d,]+ acknowledged changes; lost 0, damaged 0\n", found)


def test_a_flipped_byte_of_the_file_never_gives_a_wrong_answer(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    found = said(tmp_path, "flips", "--sample", "150")
    assert re.fullmatch(r"flips in the file: 150 of [\d,]+ bytes: .*refused \d+.*; wrong 0\n", found)


def test_a_flipped_byte_of_the_journal_gives_what_was_there_or_damage(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    found = said(tmp_path, "journal-flips", "--sample", "100")
    assert re.fullmatch(r"flips in the journal: 100 of [\d,]+ bytes: .*; wrong 0\n", found)


def test_eight_processes_lose_nothing_and_none_of_them_starves(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    found = said(tmp_path, "race", "--processes", "8", "--seconds", "2")
    shares = re.fullmatch(
        r"race: 8 processes, 2 s: [\d,]+ acknowledged writes, [\d,]+ conflicts; lost 0, errors 0; "
        r"shares ([\d,]+) to ([\d,]+); longest wait [\d.]+ s\n",
        found,
    )
    assert shares is not None
    least, most = (int(share.replace(",", "")) for share in shares.groups())
    assert least * 10 >= most
