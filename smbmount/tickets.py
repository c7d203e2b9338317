"""Kerberos tickets on the command line's side: whose cache, which keytab, and whether to ask."""

import os
import re
from collections.abc import MutableMapping


class NoCache(Exception):
    """A credential cache that may not be used; the text says why."""


def cache_of(uid: int) -> str:
    """The name of a user's default credential cache, as krb5.conf has it.

    Raises NoCache if it is a file that another user has put there.
    """
    import krb5

    named = os.environ.pop("KRB5CCNAME", None)  # ours, not that user's
    try:
        ours = krb5.cc_default_name(krb5.init_context()).decode()
    finally:
        if named is not None:
            os.environ["KRB5CCNAME"] = named
    name = re.sub(rf"(?<!\d){os.getuid()}(?!\d)", str(uid), ours)
    kind, _, path = name.rpartition(":")
    if kind in ("", "FILE"):
        try:
            owner = os.stat(path).st_uid
        except OSError as error:
            raise NoCache(
                f"there is no Kerberos ticket of user id {uid} in {path}: {error.strerror}; "
                "the user must run kinit first"
            ) from error
        # Anybody may write to /tmp: a planted cache would make the mount somebody else's.
        if owner not in (uid, 0):
            raise NoCache(f"the credential cache {path} belongs to user id {owner}, not {uid}")
    return name


def make_absolute(environment: MutableMapping[str, str]) -> None:
    """Keep KRB5CCNAME right when the daemon leaves the directory it was called in."""
    name = environment.get("KRB5CCNAME", "")
    kind, colon, path = name.rpartition(":")
    if path and kind in ("", "FILE", "DIR") and not os.path.isabs(path):
        environment["KRB5CCNAME"] = f"{kind}{colon}{os.path.abspath(path)}"
