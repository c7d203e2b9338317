"""The debug line of a message names its codes and never shows what it carries."""

import pytest

from smbmount.client.tracing import answer_line, request_line
from smbmount.proto.create import CreateRequest, FileId
from smbmount.proto.create_contexts import EaBuffer, LeaseV2, SdBuffer
from smbmount.proto.fscc_ea import FullEa
from smbmount.proto.header import Command, Header, HeaderFlags
from smbmount.proto.info import QueryInfoRequest, SetInfoRequest
from smbmount.proto.ioctl import IoctlRequest, IoctlResponse
from smbmount.proto.read import ReadResponse
from smbmount.proto.session import SessionSetupRequest
from smbmount.proto.write import WriteRequest

_FILE = FileId(0xAB, 0xCD)
_SECRET = b"sesame"
_CONTEXTS = (EaBuffer((FullEa(b"name", _SECRET),)), SdBuffer(_SECRET), LeaseV2(bytes(16), 7))


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        (WriteRequest(_FILE, 4096, _SECRET), "WRITE file_id=ab:cd offset=4096 6 bytes"),
        (
            IoctlRequest(_FILE, 0x1401D4, _SECRET, 64),
            (
                "IOCTL file_id=ab:cd ctl_code=LMR_REQUEST_RESILIENCY 6 bytes "
                "max_output_response=64 flags=0x1"
            ),
        ),
        (
            IoctlRequest(_FILE, 0x123456, b"", 0),
            "IOCTL file_id=ab:cd ctl_code=0x123456 flags=0x1",
        ),
        (
            QueryInfoRequest(_FILE, 2, 7, 100),
            (
                "QUERY_INFO file_id=ab:cd info_type=FILESYSTEM FILE_FS_FULL_SIZE_INFORMATION "
                "output_buffer_length=100"
            ),
        ),
        (
            SetInfoRequest(_FILE, 1, 15, _SECRET),
            "SET_INFO file_id=ab:cd info_type=FILE FILE_FULL_EA_INFORMATION 6 bytes",
        ),
    ],
)
def test_a_request_is_one_line_with_names(request_: object, line: str) -> None:
    assert request_line(request_) == line


@pytest.mark.parametrize(
    "message",
    [
        WriteRequest(_FILE, 0, _SECRET),
        SetInfoRequest(_FILE, 1, 15, _SECRET),
        IoctlRequest(_FILE, 1, _SECRET),
        IoctlResponse(1, _FILE, memoryview(_SECRET)),
        ReadResponse(memoryview(_SECRET)),
        SessionSetupRequest(_SECRET, 1, 1, 0),
        CreateRequest("file", 1, 1, contexts=_CONTEXTS),
    ],
    ids=lambda message: type(message).__name__,
)
def test_neither_line_nor_repr_shows_a_payload(message: object) -> None:
    for text in (request_line(message), repr(message)):
        assert "sesame" not in text
        assert "memory" not in text
        assert "\n" not in text


def test_an_answer_is_one_line_with_the_name_of_its_status() -> None:
    header = Header(
        Command.READ, status=0xC0000022, credits=3, async_id=9,
        flags=HeaderFlags.SERVER_TO_REDIR | HeaderFlags.ASYNC_COMMAND | HeaderFlags.SIGNED,
    )  # fmt: skip
    assert answer_line(header, 80) == "STATUS_ACCESS_DENIED 80 bytes credits=3 async=9 signed"
