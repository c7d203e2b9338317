"""The one part of smbmount that is not Python (docs/extension.md). The rest: pyproject.toml."""

import shlex
import subprocess
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

_WITHOUT = (
    "smbmount: the C extension was not built ({reason}). Everything else works, but waiting "
    "processes cannot be interrupted, and locks, server-side copies and holes stay local."
)


def fuse_headers() -> list[str]:
    """The directories with libfuse's headers, as pkg-config has them; none where it has not."""
    asked = ["pkg-config", "--cflags-only-I", "fuse3"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ["/usr/include/fuse3"]
    return [word.removeprefix("-I") for word in shlex.split(said)]


class BuildIfPossible(build_ext):
    """Where the extension cannot be built, say so in one sentence and go on."""

    def build_extension(self, ext: Extension) -> None:
        try:
            super().build_extension(ext)
        except Exception as error:
            print(_WITHOUT.format(reason=error), file=sys.stderr)
            raise  # `optional` makes a warning of it


setup(
    cmdclass={"build_ext": BuildIfPossible},
    ext_modules=[
        Extension(
            "smbmount.fuse_ops.extension._fuse_session",
            sources=[
                "smbmount/fuse_ops/extension/_fuse_session.c",
                "smbmount/fuse_ops/extension/operations.c",
            ],
            depends=["smbmount/fuse_ops/extension/fuse_session.h"],
            include_dirs=fuse_headers(),
            define_macros=[("FUSE_USE_VERSION", "35"), ("_GNU_SOURCE", "1")],
            extra_compile_args=["-Wall", "-Wextra", "-Wno-unused-parameter", "-fvisibility=hidden"],
            optional=True,
        )
    ],
)
