"""File names: bytes for Linux, UTF-16 text for the server.

Linux allows every byte but "/" and zero, SMB forbids some characters ([MS-FSCC] 2.1.5). The
forbidden ones go to the Unicode private use area and back, as Services for Mac began and
mount.cifs's `mapposix` does: ":" becomes U+F022 on the server, and comes back as ":". A space or
a dot is forbidden at a name's end only. `mapchars` is how Services for Unix did it: U+F000 plus the
character's own number.
"""

import errno

from smbmount.client.settings import NameMapping

_FORBIDDEN = '"*:<>?\\|'
_CONTROL = {chr(code): chr(0xF000 + code) for code in range(1, 32)}


class _Tables:
    """One mapping, both ways."""

    def __init__(self, anywhere: dict[str, str], at_end: dict[str, str]) -> None:
        self.to_server = str.maketrans(anywhere)
        self.to_linux = str.maketrans({there: here for here, there in anywhere.items()})
        self.end_to_server = at_end
        self.end_to_linux = {there: here for here, there in at_end.items()}


_MAPPED = {each: chr(0xF020 + place) for place, each in enumerate(_FORBIDDEN)} | _CONTROL
_TABLES = {
    NameMapping.SFM: _Tables(_MAPPED, {" ": "\uf028", ".": "\uf029"}),
    NameMapping.SFU: _Tables(
        {each: chr(0xF000 + ord(each)) for each in _FORBIDDEN} | _CONTROL,
        {" ": "\uf020", ".": "\uf02e"},
    ),
}
LONGEST = 255  # UTF-16 units of one name


class BadName(Exception):
    """A name that no server can hold, with the errno to say so."""

    def __init__(self, code: int, name: bytes) -> None:
        super().__init__(f"{name!r} cannot be a file name on the server")
        self.errno = code


def to_server(name: bytes, mapping: NameMapping = NameMapping.SFM) -> str:
    """The server's spelling of a Linux name.

    Raises BadName: EILSEQ if it is not UTF-8, ENAMETOOLONG over 255 UTF-16 units, EINVAL if the
    server forbids it and nothing is mapped.
    """
    try:
        # Lone surrogates pass: that is how `to_linux` spells a server's name that has one.
        text = name.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise BadName(errno.EILSEQ, name) from None
    if not text.isalnum():  # most names need no mapping, and this is quick
        text = _mapped(text, name, mapping)
    if len(text) > LONGEST or len(text.encode("utf-16-le", "surrogatepass")) > 2 * LONGEST:
        raise BadName(errno.ENAMETOOLONG, name)
    return text


def _mapped(text: str, name: bytes, mapping: NameMapping) -> str:
    if mapping is NameMapping.NONE:
        # A server that takes a dot or a space from the end would make another name of it.
        if text[-1] in " ." or any(each in _MAPPED for each in text):
            raise BadName(errno.EINVAL, name)
        return text
    tables = _TABLES[mapping]
    text = text.translate(tables.to_server)
    if text[-1:] in tables.end_to_server:
        text = text[:-1] + tables.end_to_server[text[-1]]
    return text


def to_linux(name: str, mapping: NameMapping = NameMapping.SFM) -> bytes:
    """The Linux spelling of a server's name. Raises BadName if there is none ("/" in it)."""
    if not name.isalnum() and mapping is not NameMapping.NONE:
        tables = _TABLES[mapping]
        name = name.translate(tables.to_linux)
        if name[-1:] in tables.end_to_linux:
            name = name[:-1] + tables.end_to_linux[name[-1]]
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
