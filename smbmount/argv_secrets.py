"""Passwords in the argument list or the environment are there for everyone, or at least for long.

`ps` shows a process's arguments to all users, and /proc keeps its first environment as long as
it lives. So a command that was given a password in either starts itself again without it: the
password travels in an anonymous file that only this process has open.
"""

import json
import os
import sys
from collections.abc import MutableMapping
from typing import NoReturn

_CARRIER = "SMBMOUNT_SECRETS_FD"
SECRET_VARIABLES = ("PASSWD",)


def hide(arguments: list[str], environment: MutableMapping[str, str]) -> list[str]:
    """The arguments, secrets included, after making sure that nobody else sees these.

    Does not return if there is something to hide: the process is replaced by itself, and this
    time around the secrets come out of the carrier.
    """
    carried = environment.pop(_CARRIER, None)
    if carried is not None:
        with open(int(carried), encoding="utf-8", errors="surrogateescape") as stream:
            kept = json.load(stream)
        environment.update(kept["environment"])
        return list(kept["arguments"])
    shown = [_masked(argument) for argument in arguments]
    secret = {name: environment[name] for name in SECRET_VARIABLES if name in environment}
    if shown == arguments and not secret:
        return arguments
    return _start_again(arguments, shown, secret, environment)


def _start_again(
    arguments: list[str],
    shown: list[str],
    secret: dict[str, str],
    environment: MutableMapping[str, str],
) -> NoReturn:
    carrier = os.memfd_create("smbmount")
    content = json.dumps({"arguments": arguments, "environment": secret})
    os.write(carrier, content.encode("utf-8", "surrogateescape"))
    os.lseek(carrier, 0, os.SEEK_SET)
    os.set_inheritable(carrier, True)
    clean = {name: value for name, value in environment.items() if name not in secret}
    before = sys.orig_argv[: len(sys.orig_argv) - len(arguments)]
    os.execve(sys.executable, [*before, *shown], {**clean, _CARRIER: str(carrier)})


def _masked(argument: str) -> str:
    """The argument without any password: in -o words, and in URLs."""
    words = argument.split(",")
    masked = ",".join(_masked_word(word) for word in words)
    scheme, separator, rest = masked.partition("://")
    authority, slash, path = rest.partition("/")
    if separator and "@" in authority and ":" in authority.rpartition("@")[0]:
        user, _, host = authority.rpartition("@")
        return f"{scheme}://{user.split(':', 1)[0]}@{host}{slash}{path}"
    return masked


def _masked_word(word: str) -> str:
    name, equals, value = word.partition("=")
    bare = name.removeprefix("-o")
    if not equals:
        return word
    if bare in ("password", "pass"):
        return f"{name}=********"
    if bare in ("username", "user") and "%" in value:
        return f"{name}={value.split('%', 1)[0]}"
    return word
