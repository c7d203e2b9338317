"""The end of a mount, as the kernel tells it.

Operations that are under way when a mount is taken away have nobody left to answer. pyfuse3 waits
for them all the same, with a silent server for as long as that is given to answer. So the device
is watched for its end, too.
"""

import logging
import os
import select
import stat

import trio

_log = logging.getLogger(__name__)

_DEVICE = os.makedev(10, 229)  # /dev/fuse, in the kernel's list of devices


async def unmounted() -> None:
    """Return when the kernel has ended the session that this process serves."""
    descriptor = _fuse_device()
    if descriptor is None:
        _log.debug("the FUSE device is not to be found among our files")
        await trio.sleep_forever()
        return
    with select.epoll() as watch:
        watch.register(descriptor, 0)  # errors are told of in any case, requests are not
        while not watch.poll(0):
            await trio.lowlevel.wait_readable(watch.fileno())


def _fuse_device() -> int | None:
    """The descriptor that pyfuse3 keeps to itself; None if there is none."""
    for name in os.listdir("/proc/self/fd"):
        try:
            found = os.fstat(int(name))
        except OSError:  # the listing's own, closed by now
            continue
        if stat.S_ISCHR(found.st_mode) and found.st_rdev == _DEVICE:
            return int(name)
    return None
