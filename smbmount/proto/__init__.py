"""Floor 1: SMB messages as values. Bytes in, bytes out.

No sockets, no clock, no trio, no logging. One module a command family of [MS-SMB2] 2.2,
request and response side by side; `fscc_*` holds the structures of [MS-FSCC]; `keys`, `signing`
and `sealing` the cryptography of [MS-SMB2] 3.1.4. Imports nothing of this package's other floors.

Every `unpack` checks each length, offset and count before it is used, and raises MalformedMessage
and nothing else.
"""
