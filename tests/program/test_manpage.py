"""The manual page: complete, as the table has it, and well set."""

import shutil
import subprocess
from pathlib import Path

import pytest

from smbmount.cli import parse_arguments
from smbmount.manpage import page
from smbmount.options import TABLE

_PAGE = Path(__file__).parents[2] / "docs" / "smbmount.8"


def test_the_page_is_up_to_date() -> None:
    assert _PAGE.read_text("utf-8") == page(), (
        "the options have changed: python -m smbmount.manpage > docs/smbmount.8"
    )


def test_every_option_is_there_by_all_its_names() -> None:
    shown = page().replace("\\-", "-")
    for row in TABLE:
        for name in (row.name, *row.aliases):
            assert f"\\fB{name}\\fR" in shown, name


@pytest.mark.parametrize(
    "flag", ["-r", "-w", "-f", "--foreground", "-v", "--debug", "--help", "--version"]
)
def test_every_flag_is_one(flag: str) -> None:
    parse_arguments([flag, "//server/share", "/mnt"])
    assert flag in page().replace("\\-", "-")


def test_it_has_the_sections_of_a_manual_page() -> None:
    headings = [line[4:].strip('"') for line in page().splitlines() if line.startswith(".SH ")]
    assert headings == [
        "NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES",
        "DIFFERENCES FROM A LOCAL FILE SYSTEM", "EXAMPLES", "SEE ALSO",
    ]  # fmt: skip


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_has_nothing_to_complain_about() -> None:
    done = subprocess.run(
        ["groff", "-man", "-wall", "-ww", "-Tutf8", "-P-cbou"],
        input=page(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    shown = done.stdout
    assert "snapshot=time" in shown
    assert "\\\\server\\share" in shown
    assert "`" not in shown
