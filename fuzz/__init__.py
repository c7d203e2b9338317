"""The fuzzer: every decoder of `smbmount.proto`, under one law.

A decoder parses, or raises the protocol's own exception; it never raises another, never hangs, and
keeps no more than its input can account for. `script/fuzz` runs it with atheris, which
steers by coverage; `tests/proto/test_fuzz.py` runs a short slice, and sees to it that no
decoder is left out.
"""
