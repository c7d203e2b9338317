"""The account of credits: order, fairness, shortage and the end."""

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from smbmount.client.credits import Credits, CreditShortage, charge_of


@pytest.mark.parametrize(
    ("payload", "charge"), [(0, 1), (1, 1), (65536, 1), (65537, 2), (1 << 20, 16), (8 << 20, 128)]
)
def test_a_charge_is_one_credit_for_each_64_kib(payload: int, charge: int) -> None:
    assert charge_of(payload) == charge


def _opened(credits: int) -> Credits:
    account = Credits(512)
    account.grant(credits - 1)
    return account


def test_message_ids_are_the_numbers_of_the_credits_spent() -> None:
    async def main() -> None:
        account = _opened(32)
        assert [await account.spend(n) for n in (1, 16, 2)] == [0, 1, 17]
        assert account.next_message_id == 19
        assert (account.available, account.lent, account.window) == (13, 19, 32)

    trio.run(main)


def test_a_large_request_at_the_head_is_not_overtaken() -> None:
    async def main() -> None:
        account = _opened(4)
        await account.spend(4)
        order: list[int] = []

        async def want(charge: int) -> None:
            await account.spend(charge)
            order.append(charge)

        async with trio.open_nursery() as nursery:
            for charge in (4, 1, 2):
                nursery.start_soon(want, charge)
                await trio.testing.wait_all_tasks_blocked()
            account.grant(3)
            account.settle(4)
            await trio.testing.wait_all_tasks_blocked()
            assert order == []  # 3 credits would do for the small ones, but the 4 was first
            # The window is 3 now, and can never pay for 4.
            nursery.cancel_scope.cancel()

    with pytest.raises(BaseExceptionGroup) as caught:
        trio.run(main)
    assert caught.group_contains(CreditShortage)


def test_what_the_window_can_never_pay_for_is_refused_at_once() -> None:
    async def main() -> None:
        account = _opened(2)
        with pytest.raises(CreditShortage, match="3 credits wanted, the server leaves us 2"):
            await account.spend(3)
        assert account.available == 2

    trio.run(main)


def test_a_cancelled_waiter_spends_nothing_and_lets_the_next_in() -> None:
    async def main() -> None:
        account = _opened(2)
        await account.spend(2)
        got: list[int] = []

        async def want() -> None:
            got.append(await account.spend(1))

        async with trio.open_nursery() as nursery:
            with trio.move_on_after(0) as scope:
                scope.cancel()
                await account.spend(2)
            assert scope.cancelled_caught
            nursery.start_soon(want)
            await trio.testing.wait_all_tasks_blocked()
            account.grant(2)
            account.settle(2)
        assert got == [2]
        assert account.available == 1

    trio.run(main)


def test_nobody_waits_on_a_connection_that_is_lost() -> None:
    async def main() -> None:
        account = _opened(1)
        await account.spend(1)
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(account.spend, 1)
            await trio.testing.wait_all_tasks_blocked()
            account.fail()

    trio.run(main)


@given(st.lists(st.integers(1, 8), min_size=1, max_size=40), st.integers(8, 12))
def test_everyone_is_served_in_order_whatever_the_sizes(charges: list[int], window: int) -> None:
    async def main() -> None:
        account = _opened(window)
        served: list[int] = []

        async def want(number: int, charge: int) -> None:
            first = await account.spend(charge)
            served.append(number)
            await trio.lowlevel.checkpoint()
            assert first + charge <= account.next_message_id
            account.grant(charge)
            account.settle(charge)

        async with trio.open_nursery() as nursery:
            for number, charge in enumerate(charges):
                nursery.start_soon(want, number, charge)
                # Spawned tasks start in any order; started one by one, they queue in this one.
                await trio.lowlevel.checkpoint()
        assert sorted(served) == list(range(len(charges)))
        assert (account.available, account.lent) == (window, 0)
        assert account.next_message_id == sum(charges)

    trio.run(main)
