"""Where the user and the password come from, and in which order."""

import os
from pathlib import Path

import pytest

from smbmount.client.settings import Mechanism
from smbmount.credentials import NoCredentials, complete, from_environment, read_file
from smbmount.options import parse


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "credentials"
    path.write_text("# mine\n\n  username=anna\r\npassword= a=b,c \ndomain=LAB\n")
    return path


def test_a_line_counts_to_its_end(file: Path) -> None:
    assert read_file(str(file)) == {"username": "anna", "password": " a=b,c ", "domain": "LAB"}


@pytest.mark.parametrize("line", ["nonsense", "usr=anna", "password"])
def test_a_line_that_says_nothing_is_refused_by_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "credentials"
    path.write_text(f"username=anna\n{line}\n")
    with pytest.raises(NoCredentials, match="line 2"):
        read_file(str(path))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoCredentials, match="No such file"):
        read_file(str(tmp_path / "absent"))


def test_an_option_wins_over_the_file_and_the_file_over_the_environment(file: Path) -> None:
    options = parse([f"credentials={file},username=berta"])
    found = complete(options, "//nas/x", {"PASSWD": "other"})
    assert (found.username, found.password, found.domain) == ("berta", " a=b,c ", "LAB")


def test_the_environment_serves_where_nothing_else_does(tmp_path: Path) -> None:
    options = parse(["username=anna"])
    assert complete(options, "//nas/x", {"PASSWD": "one"}).password == "one"
    secret = tmp_path / "secret"
    secret.write_text("two\nnot this\n")
    assert from_environment({"PASSWD_FILE": str(secret)}) == "two"
    descriptor = os.open(secret, os.O_RDONLY)
    assert from_environment({"PASSWD_FD": str(descriptor)}) == "two"
    assert from_environment({}) is None


def test_a_password_that_cannot_be_read_is_told_without_it() -> None:
    with pytest.raises(NoCredentials, match="not a number"):
        from_environment({"PASSWD_FD": "seven"})


def test_guests_and_nobody_need_no_password() -> None:
    guest = complete(parse(["guest"]), "//nas/x", {})
    assert guest.guest
    assert guest.password == ""
    assert complete(parse(["sec=none"]), "//nas/x", {}).mechanism is Mechanism.NONE


def test_nobody_is_asked_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        with pytest.raises(NoCredentials, match="no password for 'anna'"):
            complete(parse(["username=anna"]), "//nas/x", {})


def test_credentials_do_not_show_their_password() -> None:
    assert "topsecret" not in repr(complete(parse(["user=a,pass=topsecret"]), "//nas/x", {}))


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffusername=anna\npassword=x\n",
        "username = anna \npassword=x\n",
        "username=LAB\\anna\npassword=x\n",
        "user=LAB/anna%x\n",
    ],
)
def test_a_file_may_be_written_in_the_ways_of_other_programs(tmp_path: Path, content: str) -> None:
    path = tmp_path / "credentials"
    path.write_text(content, "utf-8")
    found = read_file(str(path))
    assert (found["username"], found["password"]) == ("anna", "x")
    assert found.get("domain") == ("LAB" if "LAB" in content else None)


def test_a_password_in_another_encoding_is_named_and_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    path.write_bytes("username=anna\npassword=café-top\n".encode("latin-1"))
    with pytest.raises(NoCredentials, match="the password is not UTF-8") as refused:
        complete(parse([f"credentials={path}"]), "//nas/x", {})
    assert "caf" not in str(refused.value)
    assert "top" not in str(refused.value)
