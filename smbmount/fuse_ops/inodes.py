"""Inodes: what the kernel knows of the share, by number, and by which names they are reached.

A node's number is the server's file id, so that numbers are the same after a remount and for
hard links. A few files cannot have theirs: the server has no ids (0), the id is FUSE's own for the
root (1), or it belongs to another living node of another kind, which means that the server gave the
number away again. Those get a number of ours, from 2**63 up.

A node keeps its links: the directories it is in, and under which names. Its path is built by
walking up, so renaming a directory moves all that is below it at once. The root has no link; a
node that lost its last one was unlinked, and is reached through its open files only. One that this
mount removed for good is `gone`: what the server shows under its number later is another file, and
must not be taken for it, for the kernel lets nobody do anything in a directory that was removed.

A node lives while the kernel holds lookups on it, a file of it is open, or a node below it lives.

An answer about a name can be overtaken: the server looked before this mount renamed or removed the
name, and is heard after. Whoever asks takes a `Watch` on the name first, and asks again if it was
changed meanwhile.
"""

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import trio

from smbmount.client.attributes import FileStat
from smbmount.proto.filetime import from_unix_ns

from .attributes import Remembered, links_of
from .names import child

if TYPE_CHECKING:
    from smbmount.client.open_file import OpenFile

    from .locks.node import NodeLocks
    from .open_files import OpenNode

ROOT = 1
_OWN_NUMBERS = 1 << 63


class Unlinked(Exception):
    """The node has no name any more."""

    errno = errno.ESTALE


class Inode:
    """One file or directory of the share."""

    __slots__ = (
        "changed_at", "children", "gone", "links", "locks", "lookups", "number", "opens",
        "remembered", "rests", "stat", "written_at",
    )  # fmt: skip

    def __init__(self, number: int, stat: FileStat) -> None:
        self.number = number
        self.stat = stat  # as the server last told it
        self.remembered: Remembered | None = None  # of chmod and chown, with `dynperm`
        self.lookups = 0  # references that the kernel holds
        self.links: list[tuple[Inode, str]] = []
        self.children = 0  # links that other nodes have in this one
        self.gone = False  # this mount removed the last of its names
        self.opens: list[OpenNode] = []
        self.rests: list[OpenFile] = []  # names it lost while it was open; closing removes them
        self.locks: NodeLocks | None = None  # while it is open, once somebody has locked it
        self.written_at = 0  # last by what is open here: FILETIME of our own clock, 0 for never
        self.changed_at = 0.0  # when this mount last changed content or metadata, by trio's clock

    def __repr__(self) -> str:
        where = self.path if self.links or self.number == ROOT else "unlinked"
        return f"<Inode {self.number} {where!r} {self.lookups} lookups>"

    @property
    def path(self) -> str:
        """The path from the mounted directory. Raises Unlinked."""
        names: list[str] = []
        node = self
        while node.number != ROOT:
            if not node.links:
                raise Unlinked
            node, name = node.links[-1]
            names.append(name)
        names.reverse()
        return "\\".join(names)

    def path_of(self, name: str) -> str:
        """The path of something in this directory. Raises Unlinked."""
        return child(self.path, name)

    def is_below(self, directory: "Inode") -> bool:
        """True if one of its names is somewhere in `directory`."""
        for above, _ in self.links:
            while above is not directory and above.links:
                above = above.links[-1][0]
            if above is directory:
                return True
        return False

    def let_go(self) -> "OpenFile":
        """What is left of one of its names, to be closed: the server will count one less."""
        rest = self.rests.pop()
        if self.stat.links:
            counted = not self.stat.delete_pending
            self.stat = replace(self.stat, links=self.stat.links - counted, delete_pending=False)
        return rest

    def content_changed(self) -> None:
        """This mount changed the bytes: nobody's read-ahead of them is right any more."""
        self.changed_at = trio.current_time()
        if self.opens:
            self.written_at = from_unix_ns(time.time_ns())
        for opened in self.opens:
            opened.readahead.drop()


class Watch:
    """Whether a name was changed by this mount since somebody asked about it."""

    __slots__ = ("changed",)

    def __init__(self) -> None:
        self.changed = False


class InodeTable:
    """All nodes of a mount."""

    def __init__(self, root: FileStat, *, server_numbers: bool = True) -> None:
        self.root = Inode(ROOT, root)
        self.root.lookups = 1  # the kernel never forgets it
        self._by_number: dict[int, Inode] = {ROOT: self.root}
        self._by_link: dict[tuple[int, str], Inode] = {}
        self._own_number = _OWN_NUMBERS
        self._server_numbers = server_numbers
        self._watches: dict[tuple[int, str], list[Watch]] = {}

    def __len__(self) -> int:
        return len(self._by_number)

    def __iter__(self) -> Iterator[Inode]:
        return iter(list(self._by_number.values()))

    def get(self, number: int) -> Inode:
        """The node of a number. Raises Unlinked for one that the kernel should have forgotten."""
        try:
            return self._by_number[number]
        except KeyError:
            raise Unlinked from None

    def find(self, parent: Inode, name: str) -> Inode | None:
        """The node last seen under a name, if it lives."""
        return self._by_link.get((parent.number, name))

    @contextmanager
    def watch(self, parent: Inode, name: str) -> Iterator[Watch]:
        """Learn of changes that this mount makes to a name, as long as the context lasts."""
        watch = Watch()
        watching = self._watches.setdefault((parent.number, name), [])
        watching.append(watch)
        try:
            yield watch
        finally:
            watching.remove(watch)
            if not watching:
                self._watches.pop((parent.number, name), None)

    def _changed(self, parent: Inode, name: str) -> None:
        for watch in self._watches.get((parent.number, name), ()):
            watch.changed = True

    def meet(self, parent: Inode, name: str, stat: FileStat) -> Inode:
        """The node for what the server just showed under a name, made or brought up to date.

        The caller adds a lookup if it tells the kernel.
        """
        known = self._by_link.get((parent.number, name))
        node = self._node_for(known, parent, name, stat)
        if known is not node:
            if known is not None:
                self.lose(parent, name)
            if stat.is_directory:
                self._leave_old_place(node, parent)
            self._link(node, parent, name)
        elif len(node.links) > 1:  # a path is built from the name that was seen last
            node.links.remove((parent, name))
            node.links.append((parent, name))
        untold = stat.mode is None and not stat.links and not stat.delete_pending
        if untold and _same_file(stat, node.stat):
            stat = replace(stat, links=node.stat.links)  # what was told before still holds
        node.stat = stat
        return node

    def made(self, parent: Inode, name: str, stat: FileStat) -> Inode:
        """`meet`, for a name that this mount made just now."""
        self._changed(parent, name)
        return self.meet(parent, name, stat)

    def _node_for(self, known: Inode | None, parent: Inode, name: str, stat: FileStat) -> Inode:
        number = stat.file_id if self._server_numbers else 0
        if number > ROOT:
            node = self._by_number.get(number)
            taken = node is not None and known is not node
            if node is not None and _is_it(node, stat) and _was_not_given_away(node, stat):
                if not (taken and _in_another_case(node, parent, name, stat)):
                    return node
            elif node is None and not (known is not None and _is_it(known, stat)):
                return self._new(number, stat)
        # No usable id: the same name and kind is the same node.
        if known is not None and _is_it(known, stat):
            return known
        return self._new(self._next_own(), stat)

    def _next_own(self) -> int:
        while self._own_number in self._by_number:  # the server's ids may come this high
            self._own_number += 1
        return self._own_number

    def _new(self, number: int, stat: FileStat) -> Inode:
        node = Inode(number, stat)
        self._by_number[number] = node
        return node

    def _link(self, node: Inode, parent: Inode, name: str) -> None:
        node.links.append((parent, name))
        parent.children += 1
        self._by_link[parent.number, name] = node

    def _leave_old_place(self, node: Inode, parent: Inode) -> None:
        """A directory has one name: seen elsewhere, another client has moved it.

        If it is now below what we take for its own child, that child was moved too. Without a cut
        there, paths would go in circles.
        """
        node.lookups += 1  # or it could die here
        for old, name in list(node.links):
            self.lose(old, name)
        above = parent
        while above.links:
            higher, name = above.links[-1]
            if higher is node:
                self.lose(node, name)
                break
            above = higher
        node.lookups -= 1

    def lose(self, parent: Inode, name: str) -> None:
        """The server has a name no more; not this mount's doing."""
        node = self._by_link.pop((parent.number, name), None)
        if node is None:
            return
        node.links.remove((parent, name))
        parent.children -= 1
        self.retire(node)
        self.retire(parent)

    def unlink(self, parent: Inode, name: str, *, hidden: bool = False) -> None:
        """This mount removed a name, or hid it: then the newest of the node's `rests` is it."""
        self._changed(parent, name)
        self._remove(parent, name, hidden)

    def _remove(self, parent: Inode, name: str, hidden: bool) -> None:
        node = self.find(parent, name)
        if node is not None:
            left = links_of(node.stat, len(node.rests) - hidden) - 1
            left = max(left, len(node.links) - 1)  # listings do not count
            if node.stat.is_directory or not left:
                node.gone = True
                node.stat = replace(node.stat, links=0, delete_pending=True)
            elif not hidden:
                node.stat = replace(node.stat, links=max(node.stat.links - 1, 1))
        self.lose(parent, name)

    def rename(
        self, parent: Inode, name: str, target: Inode, new_name: str, *, hidden: bool = False
    ) -> Inode | None:
        """This mount moved a name, and what had the new one lost it; the node, if it is known.

        `hidden` is `unlink`'s, of what had the new name.
        """
        self._changed(parent, name)
        self._changed(target, new_name)
        node = self._by_link.get((parent.number, name))
        if (parent, name) == (target, new_name):
            return node
        if node is None:
            self._remove(target, new_name, hidden)
            return None
        node.lookups += 1  # or it could die between its two names
        self._remove(target, new_name, hidden)
        self.lose(parent, name)
        self._link(node, target, new_name)
        node.lookups -= 1
        return node

    def forget(self, number: int, lookups: int) -> None:
        """The kernel dropped so many references."""
        node = self._by_number.get(number)
        if node is not None:
            node.lookups -= lookups
            self.retire(node)

    def retire(self, node: Inode) -> None:
        """Drop a node that nothing holds, and what only it held."""
        while not (node.lookups > 0 or node.children or node.opens or node.number == ROOT):
            if self._by_number.get(node.number) is not node:
                return
            del self._by_number[node.number]
            parents = []
            for parent, name in node.links:
                self._by_link.pop((parent.number, name), None)
                parent.children -= 1
                parents.append(parent)
            node.links = []
            for parent in parents[1:]:
                self.retire(parent)
            if not parents:
                return
            node = parents[0]


def is_another(known: FileStat, found: FileStat) -> bool:
    """True if a path leads to another file by now: another client has put it there."""
    if not known.file_id or not found.file_id:  # a server without ids
        return known.is_directory != found.is_directory
    return known.file_id != found.file_id


def _is_it(node: Inode, stat: FileStat) -> bool:
    """True if the server shows this node: the same id, and the same kind of thing."""
    return (
        node.number != ROOT
        and node.stat.file_id == stat.file_id
        and node.stat.is_directory == stat.is_directory
    )


def _was_not_given_away(node: Inode, stat: FileStat) -> bool:
    """False if the server shows another file under the number of a node without names.

    One that was not removed here may have been moved by another client, birth time and all.
    """
    if node.links or node.number == ROOT:
        return True
    return not node.gone and node.stat.created == stat.created


def _in_another_case(node: Inode, parent: Inode, name: str, stat: FileStat) -> bool:
    """True if a server that does not tell case apart shows a node under a second spelling.

    That spelling gets a node of its own: with one for both, the kernel would take a rename from
    one to the other for done already.
    """
    if stat.links > 1:
        return False
    folded = name.casefold()
    return any(
        above is parent and other != name and other.casefold() == folded
        for above, other in node.links
    )


def _same_file(one: FileStat, other: FileStat) -> bool:
    return one.file_id == other.file_id and one.created == other.created
