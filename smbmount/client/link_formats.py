"""Links and special files as servers without POSIX extensions keep them: bytes in, values out.

Three families: reparse points ([MS-FSCC] 2.1.2), which Windows, WSL and NFS servers make; files of
Minshall and French's format, 1067 bytes with a checksum, which macOS and mount.cifs's `mfsymlinks`
make; and files with the SYSTEM attribute as Interix (Services for Unix) writes them, `sfu`.
"""

import hashlib
import os
import stat as modes
from dataclasses import dataclass
from struct import Struct

from smbmount.proto.reparse import (
    LxSymlink,
    MountPoint,
    NfsFile,
    NfsType,
    ReparsePoint,
    ReparseTag,
    SymbolicLink,
)

MF_SIZE = 1067  # bytes of every file of Minshall and French's format
_MF_LONGEST = 1024  # bytes of a target
_MF_HEAD = 43  # "XSym", length and checksum, a line each
_INTERIX_DEVICE = Struct("<8sQQ")
INTERIX_LARGEST = 8 + 2 * 4096  # bytes of a file that can be one of Interix's
_INTERIX = {
    b"IntxCHR\0": modes.S_IFCHR,
    b"IntxBLK\0": modes.S_IFBLK,
    b"IntxLNK\1": modes.S_IFLNK,
    b"LnxFIFO\0": modes.S_IFIFO,
    b"LnxSOCK\0": modes.S_IFSOCK,
}
_INTERIX_MAGIC = {kind: magic for magic, kind in _INTERIX.items()}
_NFS = {
    NfsType.LNK: modes.S_IFLNK,
    NfsType.CHR: modes.S_IFCHR,
    NfsType.BLK: modes.S_IFBLK,
    NfsType.FIFO: modes.S_IFIFO,
    NfsType.SOCK: modes.S_IFSOCK,
}
_NFS_KIND = {kind: number for number, kind in _NFS.items()}
_TAGS = {
    ReparseTag.SYMLINK: modes.S_IFLNK,
    ReparseTag.MOUNT_POINT: modes.S_IFLNK,
    ReparseTag.LX_SYMLINK: modes.S_IFLNK,
    ReparseTag.AF_UNIX: modes.S_IFSOCK,
    ReparseTag.LX_FIFO: modes.S_IFIFO,
    ReparseTag.LX_CHR: modes.S_IFCHR,  # the numbers are in an attribute of WSL's own: 0, 0 here
    ReparseTag.LX_BLK: modes.S_IFBLK,
}


@dataclass(frozen=True, slots=True)
class Special:
    """A link or special file. `target` is Linux's spelling, unless `windows`: then it is a
    server's, with "/" between components whose characters are still to be mapped."""

    kind: int  # S_IFMT bits
    target: bytes = b""
    windows: bool = False
    device: int = 0  # as os.makedev() makes it

    @property
    def length(self) -> int:
        """Bytes of the target as Linux sees it: a mapped character is one byte there."""
        if not self.windows:
            return len(self.target)
        text = self.target.decode("utf-8", "surrogatepass")
        mapped = sum("\uf001" <= character <= "\uf029" for character in text)
        return len(self.target) - 2 * mapped


# -- Minshall and French ----------------------------------------------------------------


def pack_mf(target: bytes) -> bytes | None:
    """The file for a link; None if the target is too long for the format."""
    if not 0 < len(target) <= _MF_LONGEST:
        return None
    checksum = hashlib.md5(target, usedforsecurity=False).hexdigest()
    head = f"XSym\n{len(target):04d}\n{checksum}\n".encode()
    body = head + target
    return (body + b"\n" if len(body) < MF_SIZE else body).ljust(MF_SIZE, b" ")


def unpack_mf(data: bytes) -> bytes | None:
    """The target in such a file; None if it is an ordinary file of that size."""
    if len(data) != MF_SIZE or not data.startswith(b"XSym\n") or not data[5:9].isdigit():
        return None
    length = int(data[5:9])
    if not 0 < length <= _MF_LONGEST or data[9:10] != b"\n" or data[42:43] != b"\n":
        return None
    target = data[_MF_HEAD : _MF_HEAD + length]
    checksum = hashlib.md5(target, usedforsecurity=False).hexdigest()
    return target if data[10:42].decode("latin-1") == checksum else None


# -- Interix ----------------------------------------------------------------------------


def pack_interix(special: Special) -> bytes:
    """The content of the file, which must have the SYSTEM attribute."""
    magic = _INTERIX_MAGIC[special.kind]
    if special.kind in (modes.S_IFCHR, modes.S_IFBLK):
        number = special.device
        return _INTERIX_DEVICE.pack(magic, os.major(number), os.minor(number))
    if special.kind == modes.S_IFLNK:
        return magic + special.target.decode("utf-8", "surrogatepass").encode(
            "utf-16-le", "surrogatepass"
        )
    return magic


def unpack_interix(data: bytes) -> Special | None:
    """What a file with the SYSTEM attribute is; None if it is an ordinary one.

    An empty one is a fifo, as Services for Unix began.
    """
    if not data:
        return Special(modes.S_IFIFO)
    kind = _INTERIX.get(data[:8])
    if kind is None:
        return None
    if kind in (modes.S_IFCHR, modes.S_IFBLK):
        if len(data) != _INTERIX_DEVICE.size:
            return None
        _, major, minor = _INTERIX_DEVICE.unpack(data)
        return Special(kind, device=os.makedev(major & 0xFFFF_FFFF, minor & 0xFFFF_FFFF))
    if kind == modes.S_IFLNK:
        if len(data) % 2:
            return None
        text = data[8:].decode("utf-16-le", "surrogatepass")
        return Special(kind, text.encode("utf-8", "surrogatepass"))
    return Special(kind) if len(data) == 8 else None


# -- reparse points ---------------------------------------------------------------------


def kind_of_tag(tag: int) -> int:
    """S_IFMT bits that a reparse tag alone tells; 0 if it does not."""
    return next((kind for known, kind in _TAGS.items() if known == tag), 0)


def is_special(tag: int) -> bool:
    """True if a reparse point of that tag can be a link or special file."""
    return tag == ReparseTag.NFS or bool(kind_of_tag(tag))


def unpack_reparse(
    point: ReparsePoint, ours: tuple[str, str] = ("", ""), *, exact: bool = False
) -> Special | None:
    """What a reparse point makes of a file; None if it stays a file to its readers.

    `ours` are server and share: an absolute target inside is told as "\\" and the path from the
    share's root, for `relative_to` to make it relative. `exact`: a target's characters are as
    Linux has them. Raises MalformedMessage.
    """
    match point.tag:
        case ReparseTag.SYMLINK:
            link = SymbolicLink.of(point)
            if exact:
                return Special(modes.S_IFLNK, _encoded(link.substitute_name))
            return Special(modes.S_IFLNK, *_windows(link.substitute_name, link.relative, ours))
        case ReparseTag.MOUNT_POINT:
            return Special(
                modes.S_IFLNK, *_windows(MountPoint.of(point).substitute_name, False, ours)
            )
        case ReparseTag.LX_SYMLINK:
            return Special(modes.S_IFLNK, LxSymlink.of(point).target)
        case ReparseTag.NFS:
            return _unpack_nfs(NfsFile.of(point))
        case _:
            kind = kind_of_tag(point.tag)
            return Special(kind) if kind else None


def _unpack_nfs(file: NfsFile) -> Special | None:
    kind = next((kind for number, kind in _NFS.items() if number == file.kind), 0)
    if kind == modes.S_IFLNK:
        return Special(kind, file.target.encode("utf-8", "surrogatepass"))
    if kind in (modes.S_IFCHR, modes.S_IFBLK):
        return Special(kind, device=os.makedev(*file.device))
    return Special(kind) if kind else None


def _windows(name: str, relative: bool, ours: tuple[str, str]) -> tuple[bytes, bool]:
    """The target of a link that Windows or Samba wrote, and whether its names are to be mapped."""
    if relative:
        return _encoded(name.replace("\\", "/")), True
    if name.startswith("/"):  # an absolute link on a Unix server
        return _encoded(name), False
    for prefix in ("\\??\\UNC\\", "\\\\?\\UNC\\"):
        if name.upper().startswith(prefix):
            name = "\\\\" + name[len(prefix) :]
    name = name.removeprefix("\\??\\").removeprefix("\\\\?\\")
    if name.startswith("\\\\"):
        host, _, rest = name[2:].partition("\\")
        share, _, path = rest.partition("\\")
        if (host.lower(), share.lower()) == (ours[0].lower(), ours[1].lower()):
            return _encoded("\\" + path.replace("\\", "/")), True
    return _encoded(name.replace("\\", "/")), False


def relative_to(target: bytes, directory: str, root: str) -> bytes:
    """A target from the share's root ("\\" before it) as seen from `directory`, a path below the
    mounted `root`. What lies outside the mount stays absolute, and leads nowhere."""
    path = target[1:].decode("utf-8", "surrogatepass")
    within = f"{root}/".replace("\\", "/") if root else ""
    if not f"{path}/".startswith(within):
        return b"/" + _encoded(path)
    depth = directory.count("\\") + 1 if directory else 0
    return _encoded("../" * depth + path[len(within) :].strip("/")) or b"."


def pack_reparse(special: Special, *, exact: bool) -> ReparsePoint:
    """The reparse point to make a file into `special`.

    `exact`: the server keeps a target's characters, "/" included, as they are.
    """
    if special.kind != modes.S_IFLNK:
        data = b""
        if special.kind in (modes.S_IFCHR, modes.S_IFBLK):
            numbers = os.major(special.device), os.minor(special.device)
            data = b"".join(number.to_bytes(4, "little") for number in numbers)
        return NfsFile(_NFS_KIND[special.kind], data).point()
    absolute = special.target.startswith(b"/")
    if absolute and not exact:  # Windows has no word for it; WSL has
        return LxSymlink(special.target).point()
    text = special.target.decode("utf-8", "surrogatepass")
    name = text if exact else text.replace("/", "\\")
    return SymbolicLink(name, name, relative=not absolute).point()


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
