"""Inodes: what the kernel knows of the share, by number, and by which names they are reached.

A node's number is the server's file id, so that numbers are the same after a remount and for
hard links. A few files cannot have theirs: the server has no ids (0), the id is FUSE's own for the
root (1), or it belongs to another living node of another kind, which means that the server gave the
number away again. Those get a number of ours, from 2**63 up.

A node keeps its links: the directories it is in, and under which names. Its path is built by
walking up, so renaming a directory moves all that is below it at once. The root has no link; a
node that lost its last one was unlinked, and is reached through its open files only.

A node lives while the kernel holds lookups on it, a file of it is open, or a node below it lives.
"""

import errno
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from smbmount.client.attributes import FileStat

from .names import child

if TYPE_CHECKING:
    from .open_files import OpenNode

ROOT = 1
_OWN_NUMBERS = 1 << 63


class Unlinked(Exception):
    """The node has no name any more."""

    errno = errno.ENOENT


class Inode:
    """One file or directory of the share."""

    __slots__ = ("__weakref__", "children", "links", "lookups", "number", "opens", "stat")

    def __init__(self, number: int, stat: FileStat) -> None:
        self.number = number
        self.stat = stat  # as the server last told it
        self.lookups = 0  # references that the kernel holds
        self.links: list[tuple[Inode, str]] = []
        self.children = 0  # links that other nodes have in this one
        self.opens: list[OpenNode] = []

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


class InodeTable:
    """All nodes of a mount."""

    def __init__(self, root: FileStat) -> None:
        self.root = Inode(ROOT, root)
        self.root.lookups = 1  # the kernel never forgets it
        self._by_number: dict[int, Inode] = {ROOT: self.root}
        self._by_link: dict[tuple[int, str], Inode] = {}
        self._own_number = _OWN_NUMBERS

    def __len__(self) -> int:
        return len(self._by_number)

    def __iter__(self) -> Iterator[Inode]:
        return iter(list(self._by_number.values()))

    def get(self, number: int) -> Inode:
        """The node of a number. Raises KeyError for one the kernel cannot know."""
        return self._by_number[number]

    def find(self, parent: Inode, name: str) -> Inode | None:
        """The node last seen under a name, if it lives."""
        return self._by_link.get((parent.number, name))

    def meet(self, parent: Inode, name: str, stat: FileStat) -> Inode:
        """The node for what the server just showed under a name, made or brought up to date.

        The caller adds a lookup if it tells the kernel.
        """
        known = self._by_link.get((parent.number, name))
        node = self._node_for(known, stat)
        if known is not node:
            if known is not None:
                self.unlink(parent, name)
            self._link(node, parent, name)
        if stat.links < node.stat.links and stat.links == 1:
            # A listing does not count links; what a stat said before still holds.
            stat = replace(stat, links=node.stat.links) if _same_file(stat, node.stat) else stat
        node.stat = stat
        return node

    def _node_for(self, known: Inode | None, stat: FileStat) -> Inode:
        number = stat.file_id
        if number <= ROOT or number >= _OWN_NUMBERS:
            # No usable id: the same name and kind is the same node.
            if known is not None and known.stat.is_directory == stat.is_directory:
                return known
            return self._new(self._next_own(), stat)
        node = self._by_number.get(number)
        if node is None:
            return self._new(number, stat)
        if node.stat.is_directory == stat.is_directory:
            return node
        if (
            known is not None
            and known.stat.file_id == number
            and (known.stat.is_directory == stat.is_directory)
        ):
            return known
        return self._new(self._next_own(), stat)

    def _next_own(self) -> int:
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

    def unlink(self, parent: Inode, name: str) -> Inode | None:
        """A name is gone; the node it had, or None."""
        node = self._by_link.pop((parent.number, name), None)
        if node is None:
            return None
        node.links = [link for link in node.links if link[0] is not parent or link[1] != name]
        parent.children -= 1
        self.retire(node)
        self.retire(parent)
        return node

    def rename(self, parent: Inode, name: str, target: Inode, new_name: str) -> None:
        """A name moved; what had the new one lost it."""
        node = self._by_link.get((parent.number, name))
        displaced = self._by_link.get((target.number, new_name))
        if node is None:
            if displaced is not None:
                self.unlink(target, new_name)
            return
        if displaced is node:  # "a" to "A", or two links of one file
            if (parent, name) != (target, new_name):
                self.unlink(parent, name)
            return
        if displaced is not None:
            self.unlink(target, new_name)
        node.lookups += 1  # or it could die between its two names
        self.unlink(parent, name)
        self._link(node, target, new_name)
        node.lookups -= 1

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


def _same_file(one: FileStat, other: FileStat) -> bool:
    return one.file_id == other.file_id and one.created == other.created
