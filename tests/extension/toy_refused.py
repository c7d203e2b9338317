"""The toy with a libfuse that the extension does not know."""

import sys
from pathlib import Path

import trio

from smbmount.fuse_ops.extension import bridge
from tests.extension import toy

bridge._NEWEST = bridge._OLDEST
trio.run(toy.main, sys.argv[1], Path(sys.argv[2]))
