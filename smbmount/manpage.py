"""smbmount(8): the manual page, made of the option table and of the text below.

`python -m smbmount.manpage > docs/smbmount.8` makes it anew.

In the text, what stands between two backquotes is set in bold, and a word in angle brackets in
italics; a line that begins with a space is an example, and "- " begins a paragraph with a bold
heading up to its first full stop.
"""

import re

from . import __version__
from .options import TABLE, Option

_DESCRIPTION = """
`smbmount` makes an SMB 2 or 3 share an ordinary directory, without kernel cifs and without any
right but that to use `fusermount3`. The source is //<server>/<share>, \\\\<server>\\<share> or
smb://[<user>@]<server>[:<port>]/<share>, each perhaps with a directory of the share behind it. The
command returns when the mount answers; `umount`(8), `fusermount3 -u` or a SIGTERM end it.

Every session is signed, unless it is a guest's. A password belongs in a credentials file, in
`PASSWD` or at the prompt; one that stands in the command line all the same is taken out of the list
of processes at once.
"""

_FLAGS = (
    (("-o",), "option", "options of the mount, below, with commas between them"),
    (("-r",), "", "the same as `-o ro`"),
    (("-w",), "", "the same as `-o rw`"),
    (("-f", "--foreground"), "", "stay in front"),
    (("-v", "--verbose"), "", "say more; twice, say all, as `--debug` does"),
    (("--log-file",), "file", "log to a file instead of the system's log"),
    (
        ("--capture",),
        "file",
        (
            "write the SMB messages, as they are before encryption, to a new pcapng file for "
            "Wireshark; it holds all that is read and written"
        ),
    ),
    (("-h", "--help"), "", "show the options"),
    (("-V", "--version"), "", "show the version"),
)

_EXIT = (
    ("0", "the mount answers"),
    ("1", "the command line cannot be understood"),
    ("2", "the system refused something, such as another process"),
    ("4", "an error in `smbmount` itself"),
    ("8", "interrupted"),
    ("32", "no mount; one sentence says what was tried, what answered and what to do"),
)

_ENVIRONMENT = (
    ("PASSWD", "the password"),
    ("PASSWD_FD", "the number of an open file whose first line is the password"),
    ("PASSWD_FILE", "the name of a file whose first line is the password"),
    ("USER", "who signs on, without `username=`"),
)

_FILES = (
    ("/etc/fuse.conf", "`user_allow_other` in it lets users mount with `allow_other`"),
    ("/dev/fuse", "without it nothing can be mounted"),
    (
        "/dev/log",
        "where the messages of a mount in the background go, without `--log-file`",
    ),
)

_DIFFERENCES = """
Programs expect a local file system, and SMB is something else. Most of the difference is made up
for; this is what is left of it. docs/posix.md in the source has every case, with its reason.

- Modes and owners are the same for all files. Without the POSIX extensions (Samba: `smb3 unix
extensions = yes`) SMB has neither; `uid=`, `gid=`, `file_mode=` and `dir_mode=` say what is shown,
and chmod changes nothing but whether a file is read only. chown is ignored without an error. With
the extensions both are real, but only an administrator of the share may give files away.

- A and a are the same file. Most servers ignore case, unless the POSIX extensions are used.

- Names that SMB forbids look odd to other clients. The characters `* ? < > | " :`, a backslash, and
a dot or space at the end of a name are stored as other characters, as kernel cifs does, and are
seen unchanged here.

- Symbolic links. The server keeps them if it can; else creating one says that it is not supported.
`mfsymlinks` works on every server, but the links are files to clients that do not know the format.

- A removed file is still there for others. A file that is removed while open is gone from this
mount at once. Other clients see it under a name that begins with `.smbmount-` until it is closed,
and its directory cannot be removed before, unless the POSIX extensions are used.

- A file that is replaced while open is away for an instant. rename(2) over an open file takes two
steps, and between them the name is free.

- A directory with locked files in it cannot be renamed. SMB renames no directory while anything
below it is open. Files that this mount has open are closed for the rename and opened again,
unnoticed by their programs, but not while one is locked; and what another client has open may
forbid it, too. With the POSIX extensions nothing does.

- Locks bind other clients. fcntl(2) and flock(2) locks are held on the server. Programs on this
mount see them as on a local disk; other clients cannot read or write what is locked, and get an
error. The process that holds a lock on another machine cannot be named. `nobrl` keeps locks here.

- Another client's changes show late. Names and attributes may be remembered for `actimeo=` seconds;
a file that is opened anew is read anew.

- Extended attributes ignore case. `user.`<name> is kept on the server, without regard to case, and
cannot be empty. `user.cifs.dosattrib` (4 bytes), `user.cifs.creationtime` (8 bytes, FILETIME) and
`system.cifs_acl`, also called `system.smb3_acl` (the security descriptor), are read and set;
`user.cifs.streams` lists alternate data streams. None of these is listed by `getfattr`(1) `-d`.
POSIX ACLs, `security.*` and `trusted.*` do not exist.

- Times have steps of 100 ns. They are rounded down.

- The free space may be less than the disk's. It is what the server tells, for the directory that is
mounted, and heeds quotas.

- A snapshot is read only. With `snapshot=`, so is the mount, whatever else the options say.

- When the server is gone, operations fail. Nothing waits for ever: after half a minute of silence
every operation fails with an error. Until then umount(8) waits as well, for it looks at the mounted
directory; `fusermount3 -u` and `umount -l` do not.
"""

_EXAMPLES = """
A share, with the password asked for:

 smbmount //nas/media ~/media -o username=anna

With a file of three lines, username=, password= and domain=, that nobody else can read:

 smbmount //nas/media ~/media -o credentials=$HOME/.nas

A directory of it, encrypted, with files that belong to another user:

 smbmount //nas/media/films /srv/films -o credentials=/etc/nas,seal,uid=media,allow_other

As it was:

 smbmount //nas/media ~/then -o username=anna,snapshot=@GMT-2024.01.31-12.00.00

With a line of fstab(5), when smbmount is in a directory that mount(8) searches, such as
/usr/local/bin:

 //nas/media  /media  fuse.smbmount  credentials=/etc/nas,allow_other,_netdev  0 0

And no more:

 fusermount3 -u ~/media
"""


def page() -> str:
    """The manual page, in roff's man macros."""
    parts = [
        '.\\" Made by python -m smbmount.manpage from the option table; do not edit.',
        f'.TH SMBMOUNT 8 "" "smbmount {__version__}" "System administration"',
        ".SH NAME\nsmbmount \\- mount an SMB share as an ordinary directory",
        ".SH SYNOPSIS",
        ".B smbmount\n.I source mountpoint\n.RB [ \\-o",
        ".IR option [, option ...]]\n[\\fIflag\\fR ...]",
        ".SH DESCRIPTION",
        _prose(_DESCRIPTION),
        ".SH OPTIONS",
        *(_flag(names, value, text) for names, value, text in _FLAGS),
        *_table(),
        '.SH "EXIT STATUS"',
        *(_tagged(f"\\fB{code}\\fR", text) for code, text in _EXIT),
        ".SH ENVIRONMENT",
        *(_tagged(f"\\fB{_escaped(name)}\\fR", text) for name, text in _ENVIRONMENT),
        ".SH FILES",
        *(_tagged(f"\\fI{_escaped(name)}\\fR", text) for name, text in _FILES),
        '.SH "DIFFERENCES FROM A LOCAL FILE SYSTEM"',
        _prose(_DIFFERENCES),
        ".SH EXAMPLES",
        _prose(_EXAMPLES),
        '.SH "SEE ALSO"',
        ".BR fusermount3 (1),\n.BR getfattr (1),\n.BR fstab (5),",
        ".BR mount (8),\n.BR mount.cifs (8)",
    ]
    return "\n".join(parts) + "\n"


def _table() -> list[str]:
    lines = []
    for section in dict.fromkeys(row.section for row in TABLE):
        lines.append(f'.SS "{_escaped(section)}"')
        lines += [_option(row) for row in TABLE if row.section == section]
    return lines


def _option(row: Option) -> str:
    shown = []
    for name in (row.name, *row.aliases):
        text = f"\\fB{_escaped(name)}\\fR"
        if row.metavar:
            value = f"\\fB=\\fI{_escaped(row.metavar.lower())}\\fR"
            text += f"[{value}]" if row.optional else value
        shown.append(text)
    return _tagged(", ".join(shown), row.help, marked=False)


def _flag(names: tuple[str, ...], value: str, text: str) -> str:
    shown = ", ".join(f"\\fB{_escaped(name)}\\fR" for name in names)
    return _tagged(f"{shown} \\fI{value}\\fR" if value else shown, text)


def _tagged(tag: str, text: str, *, marked: bool = True) -> str:
    """A tag, and behind it a sentence that begins small."""
    shown = _marked(text) if marked else _escaped(text)
    if shown.partition(" ")[0].isalpha():
        shown = shown[0].upper() + shown[1:]
    return f".TP\n{tag}\n{_guarded(shown)}."


def _prose(text: str) -> str:
    """Paragraphs, headed ones and examples."""
    lines = []
    for paragraph in text.strip("\n").split("\n\n"):
        if paragraph.startswith(" "):
            lines.append(f".PP\n.RS\n.nf\n{_guarded(_escaped(paragraph.strip()))}\n.fi\n.RE")
        elif paragraph.startswith("- "):
            heading, stop, rest = paragraph[2:].replace("\n", " ").partition(". ")
            if not stop:
                heading = heading.removesuffix(".")
            lines.append(f".TP\n\\fB{_escaped(heading)}.\\fR\n{_filled(rest)}".rstrip("\n"))
        else:
            lines.append(f".PP\n{_filled(paragraph)}")
    return "\n".join(lines)


def _filled(text: str) -> str:
    """One line a sentence, so that roff sets the space behind it."""
    sentences = re.split(r"(?<=[.;:]) ", text.replace("\n", " "))
    return "\n".join(_guarded(_marked(sentence)) for sentence in sentences)


def _marked(text: str) -> str:
    """Bold and italics."""
    shown = _escaped(text)
    shown = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", shown)
    return re.sub(r"<([a-z]+)>", r"\\fI\1\\fR", shown)


def _escaped(text: str) -> str:
    """Nothing in it means anything to roff; a hyphen stays one that can be copied."""
    for sign, name in (("\\", "\\e"), ("-", "\\-"), ("~", "\\(ti"), ("^", "\\(ha"), ("'", "\\(aq")):
        text = text.replace(sign, name)
    return text.replace('"', "\\(dq")


def _guarded(text: str) -> str:
    """A line that begins with a full stop would be a request."""
    return f"\\&{text}" if text.startswith((".", "'")) else text


if __name__ == "__main__":
    print(page(), end="")
