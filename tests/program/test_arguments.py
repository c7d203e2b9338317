"""What the program does before it mounts anything."""

import json
import os
import subprocess
import sys
from types import ModuleType
from typing import IO

import pytest

from smbmount.__main__ import main
from smbmount.argv_secrets import hide
from tests.lab.mounts import COMMAND, ROOT


def _run(argument: str, output: IO[str] | int) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, argument],
        stdout=output, stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_that_cannot_be_written_is_told_in_a_sentence(flag: str) -> None:
    with open("/dev/full", "w") as full:
        done = _run(flag, full)
    assert done.returncode == 2
    assert done.stderr == "smbmount: standard output cannot be written: No space left on device\n"


def test_help_may_be_left_before_its_end() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = _run("--help", write_end)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_interrupt_while_the_program_is_loaded_ends_it_quietly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Loading(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "smbmount.cli", Loading("smbmount.cli"))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 8


@pytest.mark.parametrize("value", ["seven", "99", ""])
def test_somebody_else_s_variable_is_no_carrier_of_secrets(value: str) -> None:
    assert hide(["a", "b"], {"SMBMOUNT_SECRETS_FD": value}) == ["a", "b"]


def test_a_carrier_with_other_content_is_none_of_ours() -> None:
    descriptor = os.memfd_create("other")
    os.write(descriptor, json.dumps(["x"]).encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    assert hide(["a"], {"SMBMOUNT_SECRETS_FD": str(descriptor)}) == ["a"]
