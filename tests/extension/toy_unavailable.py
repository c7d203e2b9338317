"""The toy in a process that has imported pyfuse3 too early."""

import sys
from pathlib import Path

import pyfuse3  # noqa: F401
import trio

from tests.extension import toy

trio.run(toy.main, sys.argv[1], Path(sys.argv[2]))
