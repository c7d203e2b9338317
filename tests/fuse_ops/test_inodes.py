"""Inodes: against a model of a share that this mount and another client change."""

from collections import Counter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from smbmount.fuse_ops.inodes import ROOT, Inode, InodeTable, Unlinked

from .values import directory_stat, file_stat

NAMES = st.sampled_from(["a", "b", "c"])


class Thing:
    """A file or directory on the server."""

    def __init__(self, file_id: int, children: "dict[str, Thing] | None") -> None:
        self.file_id = file_id
        self.children = children


def stat_of(thing: Thing):  # type: ignore[no-untyped-def]
    make = file_stat if thing.children is None else directory_stat
    return make(thing.file_id)


def linked(node: Inode) -> bool:
    """True if the node's path leads up to the root."""
    try:
        node.path  # noqa: B018  # raises
    except Unlinked:
        return False
    return True


class Inodes(RuleBasedStateMachine):
    """The kernel looks things up and forgets them; names come, go and move, here and elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.next_id = 100
        self.top = Thing(99, {})
        self.table = InodeTable(directory_stat(99))
        self.lookups: Counter[int] = Counter()

    @initialize(names=st.lists(NAMES))
    def some_files(self, names: list[str]) -> None:
        for name in names:
            self._put(self.top, name, directory=True)

    # -- the server ---------------------------------------------------------------------

    def _put(self, where: Thing, name: str, *, directory: bool, file_id: int | None = None) -> None:
        assert where.children is not None
        if name not in where.children:
            self.next_id += 1
            chosen = self.next_id if file_id is None else file_id
            where.children[name] = Thing(chosen, {} if directory else None)

    def _directories(self) -> list[tuple[str, Thing]]:
        found: list[tuple[str, Thing]] = []

        def walk(path: str, thing: Thing) -> None:
            found.append((path, thing))
            for name, inside in (thing.children or {}).items():
                if inside.children is not None:
                    walk(f"{path}\\{name}" if path else name, inside)

        walk("", self.top)
        return found

    def _pick(self, data: st.DataObject) -> tuple[str, Thing]:
        found = self._directories()
        return found[data.draw(st.integers(0, len(found) - 1))]

    def _seen(self, path: str) -> Inode | None:
        """The kernel walks down a path; None if it does not know all of it."""
        node = self.table.root
        for name in filter(None, path.split("\\")):
            below = self.table.find(node, name)
            if below is None or not self.lookups[below.number]:
                return None
            node = below
        return node

    # -- another client -----------------------------------------------------------------

    @rule(data=st.data(), name=NAMES, directory=st.booleans(), odd=st.sampled_from([None, 0, 1]))
    def somebody_makes(
        self, data: st.DataObject, name: str, directory: bool, odd: int | None
    ) -> None:
        _, where = self._pick(data)
        self._put(where, name, directory=directory, file_id=odd)

    @rule(data=st.data(), name=NAMES)
    def somebody_removes(self, data: st.DataObject, name: str) -> None:
        _, where = self._pick(data)
        assert where.children is not None
        where.children.pop(name, None)

    @rule(data=st.data(), name=NAMES, new=NAMES)
    def somebody_moves(self, data: st.DataObject, name: str, new: str) -> None:
        self._move(data, name, new)

    def _move(self, data: st.DataObject, name: str, new: str) -> tuple[str, str] | None:
        path, where = self._pick(data)
        target_path, target = self._pick(data)
        assert where.children is not None
        assert target.children is not None
        thing = where.children.get(name)
        old_path = f"{path}\\{name}" if path else name
        if thing is None or f"{target_path}\\".startswith(f"{old_path}\\"):
            return None
        if target.children.get(new) is thing:
            return None
        del where.children[name]
        target.children[new] = thing
        return path, target_path

    @rule(data=st.data(), name=NAMES, new=NAMES)
    def somebody_links(self, data: st.DataObject, name: str, new: str) -> None:
        _, where = self._pick(data)
        _, target = self._pick(data)
        assert where.children is not None
        assert target.children is not None
        thing = where.children.get(name)
        if thing is not None and thing.children is None and thing.file_id > 1:
            target.children.setdefault(new, thing)

    # -- this mount ---------------------------------------------------------------------

    @rule(data=st.data(), name=NAMES)
    def look_up(self, data: st.DataObject, name: str) -> None:
        path, where = self._pick(data)
        parent = self._walk(path)
        if parent is None:
            return
        assert where.children is not None
        thing = where.children.get(name)
        if thing is None:
            self.table.lose(parent, name)
            return
        node = self._meet(parent, name, thing)
        assert node.path == (f"{path}\\{name}" if path else name)
        assert node.stat.is_directory == (thing.children is not None)

    def _walk(self, path: str) -> Inode | None:
        """Look up every step, as a path walk of the kernel's does."""
        node, thing = self.table.root, self.top
        for name in filter(None, path.split("\\")):
            assert thing.children is not None
            thing = thing.children[name]
            node = self._meet(node, name, thing)
        return node

    def _meet(self, parent: Inode, name: str, thing: Thing) -> Inode:
        node = self.table.meet(parent, name, stat_of(thing))
        node.lookups += 1
        self.lookups[node.number] += 1
        return node

    @rule(data=st.data(), name=NAMES, new=NAMES)
    def rename(self, data: st.DataObject, name: str, new: str) -> None:
        moved = self._move(data, name, new)
        if moved is None:
            return
        parent, target = self._seen(moved[0]), self._seen(moved[1])
        if parent is None or target is None:
            return
        with self.table.watch(parent, name) as old, self.table.watch(target, new) as there:
            node = self.table.rename(parent, name, target, new)
        assert old.changed
        assert there.changed
        if node is not None and linked(target):
            assert node.path == target.path_of(new)

    @rule(data=st.data(), name=NAMES)
    def unlink(self, data: st.DataObject, name: str) -> None:
        path, where = self._pick(data)
        parent = self._seen(path)
        if parent is None or where.children is None:
            return
        where.children.pop(name, None)
        with self.table.watch(parent, name) as watch:
            self.table.unlink(parent, name)
        assert watch.changed
        assert self.table.find(parent, name) is None

    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        held = sorted(self.lookups)
        if held:
            number = data.draw(st.sampled_from(held))
            count = data.draw(st.integers(1, self.lookups[number]))
            self.lookups[number] -= count
            if not self.lookups[number]:
                del self.lookups[number]
            self.table.forget(number, count)

    # -- what must hold -----------------------------------------------------------------

    @invariant()
    def what_the_kernel_holds_is_there(self) -> None:
        for number, count in self.lookups.items():
            assert self.table.get(number).lookups == count

    @invariant()
    def no_path_goes_in_circles(self) -> None:
        for node in self.table:
            seen = set()
            while node.links:
                assert node.number not in seen
                seen.add(node.number)
                node = node.links[-1][0]

    @invariant()
    def links_are_counted(self) -> None:
        count = Counter(parent.number for node in self.table for parent, _ in node.links)
        for node in self.table:
            assert node.children == count[node.number]
            for parent, name in node.links:
                assert self.table.find(parent, name) is node
                assert self.table.get(parent.number) is parent

    @invariant()
    def a_directory_has_one_name(self) -> None:
        assert all(len(node.links) <= 1 for node in self.table if node.stat.is_directory)

    @invariant()
    def nothing_lives_unheld(self) -> None:
        for node in self.table:
            assert node.number == ROOT or node.lookups or node.children

    def teardown(self) -> None:
        for number, count in self.lookups.items():
            self.table.forget(number, count)
        assert len(self.table) == 1


TestInodes = Inodes.TestCase


@pytest.fixture
def table() -> InodeTable:
    return InodeTable(directory_stat(99))


def held(node: Inode) -> Inode:
    node.lookups += 1
    return node


def test_two_names_of_one_file_are_one_node(table: InodeTable) -> None:
    one = held(table.meet(table.root, "one", file_stat(5, links=2)))
    assert table.meet(table.root, "other", file_stat(5, links=2)) is one
    table.unlink(table.root, "other")
    assert one.path == "one"


def test_an_unlinked_node_lives_while_it_is_held_and_has_no_path(table: InodeTable) -> None:
    node = held(table.meet(table.root, "file", file_stat(5)))
    table.unlink(table.root, "file")
    assert table.get(5) is node
    with pytest.raises(Unlinked):
        node.path  # noqa: B018
    table.forget(5, 1)
    with pytest.raises(Unlinked):
        table.get(5)


def test_renaming_a_directory_moves_what_is_below(table: InodeTable) -> None:
    old = held(table.meet(table.root, "old", directory_stat(5)))
    deep = held(table.meet(old, "deep", file_stat(6)))
    table.rename(table.root, "old", table.root, "new")
    assert deep.path == "new\\deep"


@pytest.mark.parametrize("odd", [0, 1])
def test_without_a_usable_id_the_number_is_our_own(table: InodeTable, odd: int) -> None:
    one = held(table.meet(table.root, "one", file_stat(odd)))
    other = held(table.meet(table.root, "other", file_stat(odd)))
    assert one.number != other.number
    assert min(one.number, other.number) >= 1 << 63
    assert table.meet(table.root, "one", file_stat(odd)) is one


def test_an_id_given_away_again_to_another_kind_is_another_node(table: InodeTable) -> None:
    file = held(table.meet(table.root, "file", file_stat(5)))
    directory = held(table.meet(table.root, "directory", directory_stat(5)))
    assert directory.number != file.number
    assert table.meet(table.root, "directory", directory_stat(5)) is directory


def test_a_servers_id_may_be_where_our_own_begin(table: InodeTable) -> None:
    theirs = held(table.meet(table.root, "theirs", file_stat(1 << 63)))
    ours = held(table.meet(table.root, "ours", file_stat(0)))
    assert theirs.number == 1 << 63
    assert ours.number != theirs.number


def test_a_number_that_was_given_away_again_is_another_file(table: InodeTable) -> None:
    removed = held(table.meet(table.root, "removed", directory_stat(5)))
    table.unlink(table.root, "removed")
    new = held(table.made(table.root, "new", directory_stat(5)))
    assert new is not removed
    assert new.number != removed.number
    table.forget(removed.number, 1)
    assert table.meet(table.root, "new", directory_stat(5)) is new


def test_what_another_client_moved_is_the_same_file_unless_it_was_born_later(
    table: InodeTable,
) -> None:
    moved = held(table.meet(table.root, "old", directory_stat(5, created=1)))
    table.lose(table.root, "old")
    assert table.meet(table.root, "new", directory_stat(5, created=1)) is moved
    table.lose(table.root, "new")
    assert table.meet(table.root, "newer", directory_stat(5, created=2)) is not moved


def test_a_file_that_has_another_name_is_the_same_under_it(table: InodeTable) -> None:
    file = held(table.meet(table.root, "one", file_stat(5, links=2)))
    table.unlink(table.root, "one")
    assert table.meet(table.root, "two", file_stat(5, links=1)) is file
    assert file.stat.links == 1


def test_a_listing_does_not_lower_the_count_of_links(table: InodeTable) -> None:
    node = held(table.meet(table.root, "file", file_stat(5, links=2)))
    table.meet(table.root, "file", file_stat(5, links=0))
    assert node.stat.links == 2


def test_directories_that_changed_places_elsewhere_do_not_hold_each_other(
    table: InodeTable,
) -> None:
    upper = held(table.meet(table.root, "upper", directory_stat(5)))
    lower = held(table.meet(upper, "lower", directory_stat(6)))
    # Another client made it lower/upper; "upper" is seen below "lower" first.
    table.meet(lower, "upper", directory_stat(5))
    with pytest.raises(Unlinked):
        upper.path  # noqa: B018
    table.meet(table.root, "lower", directory_stat(6))
    assert upper.path == "lower\\upper"
