"""Floor 3: FUSE requests on one side, a share on the other.

`operations.py` is what pyfuse3 calls; `serve.py` runs it. Everything else has a room of its own.
May import `smbmount.client` and the values of `smbmount.proto`, nothing higher.
"""

# Before anything here imports pyfuse3: it must be found first.
from . import extension as extension
