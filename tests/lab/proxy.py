"""A forwarding TCP proxy that can delay, stall, cut and alter what passes.

It runs in a thread with an event loop of its own; the test turns its knobs from outside. Frames
of the server's can be handed to a function that returns what to pass on instead.
"""

import threading
from collections.abc import Callable
from typing import Self

import trio

Alter = Callable[[int, bytes], bytes | None]  # number and bytes of a frame; None drops it


class Proxy:
    """Forwards connections to one server. A context manager."""

    def __init__(self, address: str, port: int, *, listen: str = "127.0.0.1") -> None:
        self._server = (address, port)
        self.address = listen
        self.port = 0
        self.delay = 0.0  # seconds each way
        self.alter: Alter | None = None  # for frames of the server's
        self.alter_requests: Alter | None = None  # for frames of the client's
        self.to_server = 0  # bytes passed on
        self.to_client = 0
        self.held = 0  # bytes received and not yet passed on
        self.frames = 0  # frames of the server's seen
        self.connections = 0
        self._running = threading.Event()
        self._token: trio.lowlevel.TrioToken | None = None
        self._flowing = trio.Event()
        self._cancel: trio.CancelScope | None = None
        self._open: set[trio.CancelScope] = set()
        self._thread = threading.Thread(target=trio.run, args=(self._main,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._running.wait()
        return self

    def __exit__(self, *exception: object) -> None:
        self._do(lambda: self._cancel and self._cancel.cancel())
        self._thread.join()

    def _do(self, action: Callable[[], object]) -> None:
        assert self._token is not None
        try:
            trio.from_thread.run_sync(action, trio_token=self._token)
        except trio.RunFinishedError:
            pass

    def stall(self) -> None:
        """Let nothing pass, and keep connections open, until `resume`."""
        self._do(lambda: setattr(self, "_flowing", trio.Event()))

    def resume(self) -> None:
        """Let traffic pass again."""
        self._do(lambda: self._flowing.set())

    def cut(self) -> None:
        """End all connections there are; new ones may come."""
        self._do(lambda: [scope.cancel() for scope in list(self._open)])

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._flowing.set()
        with trio.CancelScope() as self._cancel:
            async with trio.open_nursery() as nursery:
                [listener] = await trio.open_tcp_listeners(0, host=self.address)
                self.port = listener.socket.getsockname()[1]
                self._running.set()
                nursery.start_soon(trio.serve_listeners, self._handle, [listener])

    async def _handle(self, client: trio.SocketStream) -> None:
        self.connections += 1
        with trio.CancelScope() as scope:
            self._open.add(scope)
            try:
                async with (
                    client,
                    await trio.open_tcp_stream(*self._server) as server,
                    trio.open_nursery() as nursery,
                ):
                    nursery.start_soon(self._forward, client, server, True, nursery)
                    nursery.start_soon(self._forward, server, client, False, nursery)
            except* OSError:
                pass
            finally:
                self._open.discard(scope)

    async def _forward(
        self,
        source: trio.SocketStream,
        target: trio.SocketStream,
        to_server: bool,
        nursery: trio.Nursery,
    ) -> None:
        """Pass on one direction; as it came, or frame by frame when somebody alters it."""
        send, receive = trio.open_memory_channel[tuple[float, bytes]](64)
        nursery.start_soon(self._deliver, receive, target, to_server)
        held = b""
        number = 0
        try:
            async with send:
                while True:
                    chunk = await source.receive_some(256 * 1024)
                    if not chunk:
                        break
                    alter = self.alter_requests if to_server else self.alter
                    if alter is None and not held:
                        await send.send((trio.current_time() + self.delay, chunk))
                        continue
                    held += chunk
                    while len(held) >= 4:
                        end = 4 + int.from_bytes(held[:4], "big")
                        if len(held) < end:
                            break
                        frame, held = held[4:end], held[end:]
                        changed = alter(number, frame) if alter else frame
                        number += 1
                        if not to_server:
                            self.frames += 1
                        if changed is not None:
                            packed = len(changed).to_bytes(4, "big") + changed
                            await send.send((trio.current_time() + self.delay, packed))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async def _deliver(
        self,
        receive: trio.MemoryReceiveChannel[tuple[float, bytes]],
        target: trio.SocketStream,
        to_server: bool,
    ) -> None:
        try:
            async for due, chunk in receive:
                self.held += len(chunk)
                try:
                    await trio.sleep_until(due)
                    await self._flowing.wait()
                    await target.send_all(chunk)
                finally:
                    self.held -= len(chunk)
                if to_server:
                    self.to_server += len(chunk)
                else:
                    self.to_client += len(chunk)
            await target.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
