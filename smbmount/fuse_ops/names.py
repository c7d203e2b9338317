"""File names: bytes for Linux, UTF-16 text for the server.

Linux allows every byte but "/" and zero, SMB forbids some characters ([MS-FSCC] 2.1.5). The
forbidden ones go to the Unicode private use area and back, as Services for Mac began and
mount.cifs's `mapposix` does: ":" becomes U+F022 on the server, and comes back as ":". A space or
a dot is forbidden at a name's end only.
"""

import errno

_MAPPED = {
    '"': "\uf020",
    "*": "\uf021",
    ":": "\uf022",
    "<": "\uf023",
    ">": "\uf024",
    "?": "\uf025",
    "\\": "\uf026",
    "|": "\uf027",
    **{chr(code): chr(0xF000 + code) for code in range(1, 32)},
}
_TRAILING = {" ": "\uf028", ".": "\uf029"}
_TO_SERVER = str.maketrans(_MAPPED)
_TO_LINUX = str.maketrans({there: here for here, there in _MAPPED.items()})
_TRAILING_TO_LINUX = {there: here for here, there in _TRAILING.items()}
LONGEST = 255  # UTF-16 units of one name


class BadName(Exception):
    """A name that no server can hold, with the errno to say so."""

    def __init__(self, code: int, name: bytes) -> None:
        super().__init__(f"{name!r} cannot be a file name on the server")
        self.errno = code


def to_server(name: bytes) -> str:
    """The server's spelling of a Linux name.

    Raises BadName: EILSEQ if it is not UTF-8, ENAMETOOLONG over 255 UTF-16 units.
    """
    try:
        # Lone surrogates pass: that is how `to_linux` spells a server's name that has one.
        text = name.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise BadName(errno.EILSEQ, name) from None
    if not text.isalnum():  # most names need no mapping, and this is quick
        text = text.translate(_TO_SERVER)
        if text[-1:] in _TRAILING:
            text = text[:-1] + _TRAILING[text[-1]]
    if len(text) > LONGEST or len(text.encode("utf-16-le", "surrogatepass")) > 2 * LONGEST:
        raise BadName(errno.ENAMETOOLONG, name)
    return text


def to_linux(name: str) -> bytes:
    """The Linux spelling of a server's name. Raises BadName if there is none ("/" in it)."""
    if not name.isalnum():
        name = name.translate(_TO_LINUX)
        if name[-1:] in _TRAILING_TO_LINUX:
            name = name[:-1] + _TRAILING_TO_LINUX[name[-1]]
    encoded = name.encode("utf-8", "surrogatepass")
    if not encoded or b"/" in encoded or b"\0" in encoded or encoded in (b".", b".."):
        raise BadName(errno.EIO, encoded)
    return encoded


def to_posix(name: bytes) -> str:
    """The client's spelling of a Linux name on a share with POSIX extensions: all characters are
    allowed there, and only the separator of our own paths is mapped. Raises BadName as above."""
    try:
        text = name.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise BadName(errno.EILSEQ, name) from None
    if len(name) > LONGEST:  # bytes: the limit of the server's own file system
        raise BadName(errno.ENAMETOOLONG, name)
    return text.replace("\\", _MAPPED["\\"])


def from_posix(name: str) -> bytes:
    """What `to_posix` made of a name, undone. Raises BadName as `to_linux`."""
    encoded = name.replace(_MAPPED["\\"], "\\").encode("utf-8", "surrogatepass")
    if not encoded or b"/" in encoded or b"\0" in encoded or encoded in (b".", b".."):
        raise BadName(errno.EIO, encoded)
    return encoded


def child(directory: str, name: str) -> str:
    """The path of `name` in `directory`, in the server's spelling."""
    return f"{directory}\\{name}" if directory else name
