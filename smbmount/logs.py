"""Where messages go: standard error in front, the system's log or a file in the background."""

import logging
import logging.handlers
import os
import sys

_FORMAT = "%(levelname)s %(name)s: %(message)s"
_FILE_FORMAT = "%(asctime)s " + _FORMAT
_SYSLOG = "/dev/log"


def set_up(verbosity: int, *, foreground: bool, file: str | None) -> None:
    """Log warnings, or more with each `-v`. Raises OSError if `file` cannot be written."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)]
    handler: logging.Handler
    if file is not None:
        handler = logging.FileHandler(file, encoding="utf-8", errors="backslashreplace")
        handler.setFormatter(logging.Formatter(_FILE_FORMAT))
    elif foreground:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter(_FORMAT))
    elif os.path.exists(_SYSLOG):
        handler = logging.handlers.SysLogHandler(_SYSLOG)
        handler.setFormatter(logging.Formatter(f"smbmount[{os.getpid()}]: {_FORMAT}"))
    else:
        handler = logging.NullHandler()
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # pyfuse3 tells of each of its tasks at debug level; nobody needs that.
    logging.getLogger("pyfuse3").setLevel(max(level, logging.INFO))
    # pyspnego shows the tokens that sign us on.
    logging.getLogger("spnego").setLevel(max(level, logging.WARNING))
