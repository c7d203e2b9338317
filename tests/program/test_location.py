"""What can be mounted, and how it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbmount.location import BadLocation, Location, parse

SHARE = Location("nas", "media")
FILMS = Location("nas", "media", "films\\old")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("//nas/media", SHARE),
        ("//nas/media/", SHARE),
        (r"\\nas\media", SHARE),
        ("smb://nas/media", SHARE),
        ("SMB://nas/media/", SHARE),
        ("//nas/media/films/old", FILMS),
        ("//nas/media//films//old/", FILMS),
        (r"\\nas\media\films\old", FILMS),
        ("smb://nas/media/films/old", FILMS),
        ("//[fe80::1]/media", Location("fe80::1", "media")),
        ("smb://[fe80::1]:4450/media", Location("fe80::1", "media", port=4450)),
        ("smb://[fe80::1%25eth0]/media", Location("fe80::1%eth0", "media")),
        ("smb://anna@nas/media", Location("nas", "media", username="anna")),
        (
            "smb://LAB;anna:p%40ss@nas:445/a%20share",
            Location("nas", "a share", "", 445, "anna", "LAB", "p@ss"),
        ),
    ],
)
def test_each_way_of_writing_a_share_is_understood(text: str, expected: Location) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("nas/media", "is not the name of a share"),
        ("/mnt/media", "is not the name of a share"),
        ("", "is not the name of a share"),
        ("//", "names no server"),
        ("smb://", "names no server"),
        ("//nas", "names no share: write //nas/share"),
        ("//nas/", "names no share"),
        ("//nas/media/../secret", "cannot be part"),
        ("smb://nas/media%2fx", "cannot be part"),
        ("smb://nas:port/media", "a port is 1 to 65535"),
        ("smb://nas:0/media", "a port is 1 to 65535"),
        ("//nas:4450/media", "port=4450"),
        ("cifs://nas/media", "is not the name of a share"),
        ("smb://nas/media?x", "%3F"),
    ],
)
def test_what_is_no_share_is_told_so(text: str, hint: str) -> None:
    with pytest.raises(BadLocation, match=hint):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "smb://u:topsecret@nas:bad/x",
        "smb://u:topsecret@nas/x?y",
        "smb://u:topsecret/more@nas/x",
        "smb://u:topsecret?more@nas/x",
        "http://u:topsecret@nas/x",
    ],
)
def test_a_refusal_does_not_repeat_the_password(text: str) -> None:
    with pytest.raises(BadLocation) as refused:
        parse(text)
    assert "topsecret" not in str(refused.value)
    assert "topsecret" not in repr(parse("smb://u:topsecret@nas/x"))


@given(st.text(max_size=60))
def test_any_text_is_a_share_or_refused(text: str) -> None:
    try:
        location = parse(text)
    except BadLocation:
        return
    assert location.host
    assert parse(str(location)).share == location.share
