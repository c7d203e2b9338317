"""Who has locked what, by POSIX's rules, and what that asks of the server.

`table.py` decides, without I/O; `plan.py` says which SMB2 LOCKs bring the server there.
May import nothing but the values of `smbmount.proto`.
"""
