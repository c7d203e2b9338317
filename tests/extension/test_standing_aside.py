"""Where things are not as the extension knows them, it keeps out of the way."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from smbmount.fuse_ops import extension  # before pyfuse3

import pyfuse3  # isort: skip

from .conftest import MountedToy, mount_toy

_ROOT = Path(__file__).parents[2]


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=_ROOT, capture_output=True, text=True, check=False
    )


def test_pyfuse3_imported_first_makes_it_unavailable() -> None:
    done = python(
        "import pyfuse3\n"
        "from smbmount.fuse_ops import extension\n"
        "print(extension.available, extension.unavailable_because)\n"
    )
    assert done.stdout == "False pyfuse3 was imported before it\n", done.stderr


def test_not_built_makes_it_unavailable() -> None:
    done = python(
        "import sys; sys.modules['smbmount.fuse_ops.extension._fuse_session'] = None\n"
        "from smbmount.fuse_ops import extension\n"
        "print(extension.available, extension.unavailable_because)\n"
    )
    assert done.stdout.startswith("False it is not built for this Python ("), done.stderr


def test_unavailable_it_says_so_once_and_knows_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(extension, "available", False)
    monkeypatch.setattr(extension, "unavailable_because", "it is Tuesday")
    monkeypatch.setattr(extension, "_bridge", None)
    operations = pyfuse3.Operations()
    installed = extension.install(operations, None, None, None)  # type: ignore[arg-type]
    assert installed is operations
    (line,) = caplog.messages
    assert line.endswith("the extension cannot be used, it is Tuesday")
    assert not extension.in_place()
    assert extension.current_request() is None
    extension.hint(None, extension.Hints.NO_FLUSH)


@pytest.mark.skipif(not extension.available, reason="needs the extension to stand aside")
@pytest.mark.parametrize(
    ("version", "built_for", "size", "reason"),
    [
        (314, 314, 344, None),
        (317, 317, 352, None),
        (312, 316, 344, None),
        (311, 311, 344, "libfuse 3.11 is not one that is known"),
        (318, 317, 352, "libfuse 3.18 is not one that is known"),
        (317, 314, 344, "the extension was built for libfuse 3.14, and this is 3.17"),
        (314, 317, 344, "the extension was built for libfuse 3.17, and this is 3.14"),
        (314, 314, 336, "pyfuse3's table of operations has 336 bytes, not 344 to 352"),
        (314, 314, 360, "pyfuse3's table of operations has 360 bytes, not 344 to 352"),
    ],
)
def test_what_is_not_known_is_refused_by_name(
    version: int, built_for: int, size: int, reason: str | None
) -> None:
    from smbmount.fuse_ops.extension.bridge import refusal

    assert refusal(version, built_for, size, 344, 352) == reason


@pytest.fixture(params=["unavailable", "refused"])
def plain_toy(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[MountedToy]:
    """A mount of the toy by a process in which the extension cannot be used."""
    yield from mount_toy(tmp_path, f"tests.extension.toy_{request.param}")


def test_the_file_system_works_without(plain_toy: MountedToy) -> None:
    assert plain_toy.wait_for("mounted")["in_place"] is False
    file = plain_toy.mountpoint / "file"
    file.write_bytes(b"0123456789")
    assert file.read_bytes() == b"0123456789"
    assert [path.name for path in plain_toy.mountpoint.iterdir()] == ["file"]
    file.unlink()
    said = plain_toy.ended()
    assert said.count("off") == 1, said
