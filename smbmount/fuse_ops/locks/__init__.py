"""Who has locked what, by POSIX's rules, and what that asks of the server.

`table.py` decides, without I/O; `plan.py` says which SMB2 LOCKs bring the server there; `node.py`
does it for one file, and `waiting.py` knows who waits for whom. `fuse_ops/locking.py` is where the
kernel's requests arrive.
"""
