"""A file system in memory, with the extension, for the tests of the extension.

    python -m tests.extension.toy MOUNTPOINT CONTROL

What happens is written to CONTROL/events, one JSON object a line. An operation for which there is
a file CONTROL/stall-NAME waits for ever, until it is cancelled.
"""

import errno
import fcntl
import itertools
import json
import os
import signal
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from smbmount.fuse_ops import extension  # before pyfuse3

import pyfuse3  # isort: skip
import trio


class Toy(pyfuse3.Operations):
    """One directory of files."""

    enable_writeback_cache = False

    def __init__(self, control: Path) -> None:
        super().__init__()
        self.control = control
        # As long as the process lives.
        self.events = open(control / "events", "a", buffering=1, encoding="utf-8")  # noqa: SIM115
        self.names: dict[bytes, int] = {}
        self.files: dict[int, bytearray] = {}
        self.numbers = itertools.count(2)
        self.handles: dict[int, int] = {}

    def tell(self, event: str, **more: object) -> None:
        """Write down what happened."""
        self.events.write(json.dumps({"event": event} | more) + "\n")

    async def gate(self, name: str) -> None:
        """Pass, unless the test has shut it."""
        if not (self.control / f"stall-{name}").exists():
            return
        self.tell("stalled", operation=name)
        try:
            await trio.sleep_forever()
        finally:
            self.tell("cancelled", operation=name)

    def entry(self, inode: int) -> pyfuse3.EntryAttributes:
        """Attributes that nobody may remember."""
        entry = pyfuse3.EntryAttributes()
        entry.st_ino = inode
        entry.entry_timeout = entry.attr_timeout = 0
        if inode == pyfuse3.ROOT_INODE:
            entry.st_mode = stat.S_IFDIR | 0o755
        else:
            entry.st_mode = stat.S_IFREG | 0o644
            entry.st_size = len(self.files[inode])
        return entry

    async def lookup(
        self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        await self.gate("lookup")
        if name not in self.names:
            raise pyfuse3.FUSEError(errno.ENOENT)
        return self.entry(self.names[name])

    async def forget(self, inode_list: Sequence[tuple[int, int]]) -> None:
        pass

    async def getattr(self, inode: int, ctx: pyfuse3.RequestContext) -> pyfuse3.EntryAttributes:
        await self.gate("getattr")
        return self.entry(inode)

    async def setattr(
        self,
        inode: int,
        attr: pyfuse3.EntryAttributes,
        fields: pyfuse3.SetattrFields,
        fh: int | None,
        ctx: pyfuse3.RequestContext,
    ) -> pyfuse3.EntryAttributes:
        await self.gate("setattr")
        if fields.update_size:
            data = self.files[inode]
            data[:] = data[: attr.st_size].ljust(attr.st_size, b"\0")
        return self.entry(inode)

    async def opendir(self, inode: int, ctx: pyfuse3.RequestContext) -> pyfuse3.FileHandleT:
        request = extension.current_request()
        await self.gate("opendir")
        if (self.control / "cache-listing").exists():
            hints = extension.Hints.CACHE_LISTING | extension.Hints.KEEP_LISTING
            extension.hint(request, hints)
        return pyfuse3.FileHandleT(1)

    async def readdir(self, fh: int, start_id: int, token: pyfuse3.ReaddirToken) -> None:
        self.tell("readdir", start=start_id)
        await self.gate("readdir")
        for number, (name, inode) in enumerate(sorted(self.names.items()), 1):
            if number > start_id and not pyfuse3.readdir_reply(
                token, pyfuse3.FileNameT(name), self.entry(inode), number
            ):
                return

    async def releasedir(self, fh: int) -> None:
        pass

    async def statfs(self, ctx: pyfuse3.RequestContext) -> pyfuse3.StatvfsData:
        await self.gate("statfs")
        return pyfuse3.StatvfsData()

    async def access(self, inode: int, mode: int, ctx: pyfuse3.RequestContext) -> bool:
        return True

    def add(self, inode: int) -> pyfuse3.FileInfo:
        """A new handle, of a file whose pages nobody keeps."""
        fh = next(self.numbers)
        self.handles[fh] = inode
        direct = (self.control / "direct").exists()
        handle = pyfuse3.FileHandleT(fh)
        return pyfuse3.FileInfo(fh=handle, keep_cache=False, direct_io=direct)

    async def open(self, inode: int, flags: int, ctx: pyfuse3.RequestContext) -> pyfuse3.FileInfo:
        request = extension.current_request()
        await self.gate("open")
        if (self.control / "no-flush").exists():
            extension.hint(request, extension.Hints.NO_FLUSH)
        return self.add(inode)

    async def create(
        self, parent_inode: int, name: bytes, mode: int, flags: int, ctx: pyfuse3.RequestContext
    ) -> tuple[pyfuse3.FileInfo, pyfuse3.EntryAttributes]:
        await self.gate("create")
        inode = self.names.setdefault(name, next(self.numbers))
        self.files.setdefault(inode, bytearray())
        return self.add(inode), self.entry(inode)

    async def read(self, fh: int, off: int, size: int) -> bytes:
        await self.gate("read")
        return bytes(self.files[self.handles[fh]][off : off + size])

    async def write(self, fh: int, off: int, buf: bytes) -> int:
        await self.gate("write")
        data = self.files[self.handles[fh]]
        if off > len(data):
            data.extend(bytes(off - len(data)))
        data[off : off + len(buf)] = buf
        await self.fsync(fh, datasync=True)  # its own operations are not the kernel's requests
        return len(buf)

    async def flush(self, fh: int) -> None:
        request = extension.current_request()
        if request is not None:
            self.tell("flush", fh=fh, owner=request.lock_owner, operation=request.operation)
        await self.gate("flush")

    async def fsync(self, fh: int, datasync: bool) -> None:
        await self.gate("fsync")

    async def release(self, fh: int) -> None:
        request = extension.current_request()
        if request is not None:
            self.tell(
                "release", fh=fh, owner=request.lock_owner, flock_release=request.flock_release
            )
        del self.handles[fh]

    async def unlink(self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> None:
        await self.gate("unlink")
        del self.names[name]

    async def rename(
        self,
        parent_inode_old: int,
        name_old: bytes,
        parent_inode_new: int,
        name_new: bytes,
        flags: int,
        ctx: pyfuse3.RequestContext,
    ) -> None:
        await self.gate("rename")
        self.names[name_new] = self.names.pop(name_old)


class ToyHandlers(extension.Handlers):
    """Tells what it was asked, and does the simplest thing."""

    def __init__(self, toy: Toy) -> None:
        self._toy = toy

    async def getlk(
        self,
        inode: int,
        fh: int,
        lock_owner: int,
        lock: extension.FileLock,
        ctx: extension.Caller,
    ) -> extension.FileLock | None:
        self._toy.tell("getlk", owner=lock_owner, kind=lock.kind, start=lock.start, end=lock.end)
        if lock.start >= 1000:
            return None
        return extension.FileLock(fcntl.F_WRLCK, 10, 20, ctx.pid)

    async def setlk(
        self,
        inode: int,
        fh: int,
        lock_owner: int,
        lock: extension.FileLock,
        sleep: bool,
        ctx: extension.Caller,
    ) -> None:
        self._toy.tell(
            "setlk", owner=lock_owner, kind=lock.kind, start=lock.start, end=lock.end, pid=ctx.pid
        )
        if sleep:
            await self._toy.gate("setlk")
        elif lock.start == 13:
            raise pyfuse3.FUSEError(errno.EAGAIN)

    async def flock(
        self, inode: int, fh: int, lock_owner: int, op: int, ctx: extension.Caller
    ) -> None:
        self._toy.tell("flock", owner=lock_owner, op=op, fh=fh)
        await self._toy.gate("flock")

    async def fallocate(
        self, inode: int, fh: int, mode: int, offset: int, length: int, ctx: extension.Caller
    ) -> None:
        self._toy.tell("fallocate", mode=mode, offset=offset, length=length)
        if mode:
            raise pyfuse3.FUSEError(errno.EOPNOTSUPP)
        data = self._toy.files[inode]
        data.extend(bytes(max(0, offset + length - len(data))))

    async def lseek(
        self, inode: int, fh: int, offset: int, whence: int, ctx: extension.Caller
    ) -> int:
        self._toy.tell("lseek", offset=offset, whence=whence)
        data = self._toy.files[inode]
        if offset >= len(data):
            raise pyfuse3.FUSEError(errno.ENXIO)
        return offset if whence == os.SEEK_DATA else len(data)

    async def copy_file_range(
        self,
        inode_in: int,
        fh_in: int,
        off_in: int,
        inode_out: int,
        fh_out: int,
        off_out: int,
        length: int,
        flags: int,
        ctx: extension.Caller,
    ) -> int:
        self._toy.tell("copy_file_range", off_in=off_in, off_out=off_out, length=length)
        await self._toy.gate("copy_file_range")
        data = self._toy.files[inode_in][off_in : off_in + length]
        self._toy.files[inode_out][off_out : off_out + len(data)] = data
        return len(data)

    async def ioctl(
        self,
        inode: int,
        fh: int,
        cmd: int,
        arg: int,
        flags: int,
        data: bytes,
        room: int,
        ctx: extension.Caller,
    ) -> tuple[int, bytes]:
        self._toy.tell("ioctl", cmd=cmd, data=data.hex(), room=room)
        if not room:
            raise pyfuse3.FUSEError(errno.ENOTTY)
        return 5, data[::-1]


async def main(mountpoint: str, control: Path) -> None:
    """Mount, serve until unmounted or told to end, unmount."""
    toy = Toy(control)
    try:
        await _serve(toy, mountpoint)
    finally:  # only now, when every task that could answer a request is over
        pyfuse3.close()
        toy.tell("ended")


async def _serve(toy: Toy, mountpoint: str) -> None:
    async with trio.open_nursery() as nursery:
        settings = extension.Settings(max_background=17)
        operations = extension.install(toy, ToyHandlers(toy), settings, nursery)
        pyfuse3.init(operations, mountpoint, {"fsname=toy", "default_permissions"})
        toy.tell("mounted", in_place=extension.in_place())
        nursery.start_soon(_end_when_told, nursery.cancel_scope)
        await pyfuse3.main(max_tasks=2**31 - 1)
        nursery.cancel_scope.cancel()


async def _end_when_told(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], Path(sys.argv[2]))
