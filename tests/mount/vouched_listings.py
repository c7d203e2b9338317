"""The command, with listings vouched for where there is a file of the directory's name in argv[1].

python -m tests.mount.vouched_listings CONTROL ARGUMENTS...
"""

import sys
from pathlib import Path

from smbmount.cli import main
from smbmount.fuse_ops import remembered
from smbmount.fuse_ops.inodes import ROOT, Inode

if __name__ == "__main__":
    control = Path(sys.argv.pop(1))

    def named(directory: Inode) -> bool:
        """The stand-in for a lease."""
        return directory.number != ROOT and (control / directory.path).exists()

    remembered.vouched = named
    main()
