"""Passwords in the argument list or the environment are there for everyone, or at least for long.

`ps` shows a process's arguments to all users, and /proc keeps its first environment as long as
it lives. So a command that was given a password in either starts itself again without it: the
password travels in an anonymous file that only this process has open.
"""

import json
import os
import sys
from collections.abc import Iterator, MutableMapping
from typing import Any, NoReturn

from .location import without_password

_CARRIER = "SMBMOUNT_SECRETS_FD"
SECRET_VARIABLES = ("PASSWD",)
_MASK = "********"


def hide(arguments: list[str], environment: MutableMapping[str, str]) -> list[str]:
    """The arguments, secrets included, after making sure that nobody else sees these.

    Does not return if there is something to hide: the process is replaced by itself, and this
    time around the secrets come out of the carrier.
    """
    carried = environment.pop(_CARRIER, None)
    kept = _carried(carried) if carried is not None else None
    if kept is not None:
        environment.update(kept["environment"])
        return list(kept["arguments"])
    shown = [_masked(argument) for argument in arguments]
    secret = {name: environment[name] for name in SECRET_VARIABLES if name in environment}
    if shown == arguments and not secret:
        return arguments
    return _start_again(arguments, shown, secret, environment)


def _carried(descriptor: str) -> dict[str, Any] | None:
    """What we left to ourselves; None if the variable is somebody else's."""
    try:
        with open(int(descriptor), encoding="utf-8", errors="surrogateescape") as stream:
            kept = json.load(stream)
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) and kept.keys() == {"arguments", "environment"} else None


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
    return without_password(",".join(_masked_words(argument.split(","))))


def _masked_words(words: list[str]) -> Iterator[str]:
    for word in words:
        masked = _masked_word(word)
        yield masked
        if masked != word:
            return  # what follows may be the rest of a password with a comma in it


def _masked_word(word: str) -> str:
    name, equals, value = word.partition("=")
    bare = name.removeprefix("-o")
    if not equals:
        return word
    if bare in ("password", "pass"):
        return f"{name}={_MASK}"
    if bare in ("username", "user") and "%" in value:
        return f"{name}={value.split('%', 1)[0]}"
    return word
