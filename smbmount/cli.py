"""The command line: smbmount //server/share /mnt/share [-o options]."""

import getopt
import logging
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import __version__, argv_secrets, daemon

if TYPE_CHECKING:
    from .location import Location
    from .mount import MountRequest
    from .options import Options

_log = logging.getLogger(__name__)

USAGE_ERROR = 1  # exit codes of mount(8)
INTERNAL_ERROR = 4
MOUNT_FAILED = 32

_USAGE = r"""Usage: smbmount SOURCE MOUNTPOINT [-o OPTION[,OPTION...]]...

Make an SMB 2 or 3 share an ordinary directory.

SOURCE is //server/share, \\server\share or smb://[user@]server[:port]/share, each perhaps with a
directory behind it. Unmount with umount or fusermount3 -u.

  -o OPTION,...           options of the mount, see below
  -r                      the same as -o ro
  -w                      the same as -o rw
  -f, --foreground        stay in front
  -v, -vv, --debug        say more, say all (in the system's log, or on the terminal with -f)
  --log-file FILE         log to a file
  --capture FILE          write the SMB messages, as they are before encryption, to a new pcapng
                          file for Wireshark; it holds all that is read and written
  -h, --help              show this
  -V, --version           show the version

Options:"""
_VERSION = f"smbmount {__version__}"


class UsageError(Exception):
    """The command line is not understood; the text says why."""


@dataclass(slots=True)
class Arguments:
    """The command line, taken apart."""

    source: str = ""
    mountpoint: str = ""
    options: list[str] = field(default_factory=list)
    foreground: bool = False
    verbosity: int = 0
    log_file: str | None = None
    capture: str | None = None
    show: str = ""  # "help" or "version"


def parse_arguments(arguments: list[str]) -> Arguments:
    """Take the command line apart. Raises UsageError."""
    try:
        flags, rest = getopt.gnu_getopt(
            arguments,
            "o:fvhVrw",
            ["foreground", "debug", "verbose", "help", "version", "log-file=", "capture="],
        )
    except getopt.GetoptError as error:
        raise UsageError(f"{error.msg}; smbmount --help shows what there is") from None
    parsed = Arguments()
    for flag, value in flags:
        match flag:
            case "-o":
                parsed.options.append(value)
            case "-r":
                parsed.options.append("ro")
            case "-w":
                parsed.options.append("rw")
            case "-f" | "--foreground":
                parsed.foreground = True
            case "-v" | "--verbose":
                parsed.verbosity += 1
            case "--debug":
                parsed.verbosity = 2
            case "--log-file":
                parsed.log_file = os.path.abspath(value)
            case "--capture":
                parsed.capture = os.path.abspath(value)
            case "-h" | "--help":
                parsed.show = "help"
            case _:
                parsed.show = "version"
    if parsed.show:
        return parsed
    if len(rest) != 2:
        what = "a source and a mount point are needed" if len(rest) < 2 else "too many arguments"
        raise UsageError(f"{what}: smbmount //server/share /mnt/share")
    parsed.source, parsed.mountpoint = rest
    return parsed


def main() -> None:
    """The program. Exits with mount(8)'s codes."""
    sys.exit(_run(argv_secrets.hide(sys.argv[1:], os.environ)))


def _run(command_line: list[str]) -> int:
    from . import credentials, location, mountpoint, options

    try:
        arguments = parse_arguments(command_line)
        if arguments.show:
            told = _USAGE + options.help_text() if arguments.show == "help" else _VERSION
            return _show(told)
        place = location.parse(arguments.source)
        chosen = options.parse(arguments.options, _from_url(place))
        options.check(chosen)
    except (UsageError, location.BadLocation, options.BadOption) as error:
        return _complain(str(error), USAGE_ERROR)
    try:
        path = mountpoint.check(arguments.mountpoint, str(place), allow_other=chosen.allow_other)
        known = credentials.complete(chosen, str(place), os.environ)
    except (mountpoint.NotMountable, credentials.NoCredentials) as error:
        return _complain(str(error), MOUNT_FAILED)
    for name in argv_secrets.SECRET_VARIABLES:
        os.environ.pop(name, None)

    def work(report: daemon.Report) -> int:
        from . import logs, mount

        request = mount.MountRequest(place, path, chosen, known, arguments.capture)
        try:
            logs.set_up(
                arguments.verbosity, foreground=arguments.foreground, file=arguments.log_file
            )
        except OSError as error:
            sentence = f"the log file {arguments.log_file} cannot be written: {error.strerror}"
            return _end(report, MOUNT_FAILED, sentence)
        return _serve(request, report, arguments)

    if arguments.foreground:
        return work(daemon.Report(-1))
    return daemon.run_in_background(work)


def _show(text: str) -> int:
    try:
        print(text, flush=True)
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nor try again at the end
        return _complain(
            f"standard output cannot be written: {error.strerror}", daemon.SYSTEM_ERROR
        )
    return 0


def _from_url(place: "Location") -> "Options":
    """The options that a smb:// URL amounts to; -o overrides them."""
    from .options import Options

    return Options(
        username=place.username, password=place.password, domain=place.domain, port=place.port
    )


def _serve(request: "MountRequest", report: daemon.Report, arguments: Arguments) -> int:
    """Mount and serve; every way it can end becomes an exit code, and a sentence if it failed."""
    from smbmount.client.errors import MountRefused

    from .mount import Interrupted, run

    try:
        run(request, report.ready)
    except MountRefused as error:
        return _end(report, MOUNT_FAILED, str(error))
    except (Interrupted, KeyboardInterrupt):
        return _end(report, daemon.INTERRUPTED, "interrupted")
    except Exception as error:
        _log.critical("internal error", exc_info=arguments.verbosity >= 2)
        sentence = (
            f"internal error ({type(error).__name__}); please report it with what --debug shows"
        )
        return _end(report, INTERNAL_ERROR, sentence)
    return 0


def _end(report: daemon.Report, code: int, sentence: str) -> int:
    """Tell the parent, or the terminal where there is none, or the log when it has left."""
    if report.waiting:
        report.failed(code, sentence)
    elif code != daemon.INTERRUPTED:
        _log.error("%s", sentence)
        print(f"smbmount: {sentence}", file=sys.stderr)
    return code


def _complain(sentence: str, code: int) -> int:
    print(f"smbmount: {sentence}", file=sys.stderr)
    return code
