"""Floor 2: everything that has a life, on trio.

Connections, sessions, trees and open files of SMB 2 and 3, and what keeps them alive.
`share.py` is the face for the floors above. May import `smbmount.proto`, nothing higher.
"""
