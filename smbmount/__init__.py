"""smbmount: SMB 2 and 3 shares as ordinary Linux directories.

Four floors, imports only go down: the program (this package's own modules), `fuse_ops`,
`client`, `proto`. docs/architecture.md shows the way round.
"""

__version__ = "0.1.0"
