"""The option table: what -o understands, and what it says of the rest."""

import pytest

from smbmount.client.settings import Mechanism, PosixPolicy, SigningPolicy
from smbmount.options import TABLE, BadOption, Options, check, help_text, holds_secret, parse
from smbmount.proto.negotiate import Cipher, Dialect, SigningAlgorithm


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("username=anna", "username", "anna"),
        ("user=anna", "username", "anna"),
        ("username=LAB\\anna", "domain", "LAB"),
        ("username=LAB/anna%secret", "password", "secret"),
        ("pass=a=b", "password", "a=b"),
        ("dom=LAB", "domain", "LAB"),
        ("port=4450", "port", 4450),
        ("addr=10.0.0.1", "ip", "10.0.0.1"),
        ("vers=3.0", "dialects", (Dialect.SMB_3_0,)),
        ("linux", "posix", PosixPolicy.REQUIRED),
        ("snapshot=@GMT-2024.01.31-12.00.00", "snapshot", 133_511_760_000_000_000),
        ("snapshot=133511760000000000", "snapshot", 133_511_760_000_000_000),
        ("snapshot=133511760000000000,rw", "unchanging", True),
        ("nounix", "posix", PosixPolicy.OFF),
        ("noserverino", "server_inode_numbers", False),
        ("noperm", "check_permissions", False),
        ("vers=3.11", "dialects", (Dialect.SMB_3_1_1,)),
        ("sec=none", "mechanism", Mechanism.NONE),
        ("sign=auto", "signing", SigningPolicy.AUTO),
        ("nosign", "signing", SigningPolicy.OFF),
        ("nosign,sign", "signing", SigningPolicy.REQUIRED),
        ("nosign,sec=ntlmsspi", "signing", SigningPolicy.REQUIRED),
        ("uid=0", "uid", 0),
        ("uid=root", "uid", 0),
        ("file_mode=640", "file_mode", 0o640),
        ("file_mode=0640", "file_mode", 0o640),
        ("actimeo=2.5", "actimeo", 2.5),
        ("rsize=65536", "rsize", 65536),
        ("timeout=5", "timeout", 5.0),
        ("connect_timeout=2.5", "connect_timeout", 2.5),
        ("echo_interval=3", "echo_interval", 3.0),
        ("max_credits=64", "max_credits", 64),
        ("ciphers=AES-256-GCM:aes-128-ccm", "ciphers", (Cipher.AES_256_GCM, Cipher.AES_128_CCM)),
        ("signing_algorithms=aes-cmac", "signing_algorithms", (SigningAlgorithm.AES_CMAC,)),
        (
            "client_guid=00112233-4455-6677-8899-aabbccddeeff",
            "client_guid",
            bytes.fromhex("33221100554477668899aabbccddeeff"),
        ),
        ("ro", "read_only", True),
        ("ro,rw", "read_only", False),
    ],
)
def test_an_option_means_what_mount_cifs_means_by_it(text: str, name: str, value: object) -> None:
    assert getattr(parse([text]), name) == value


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("usrname=anna", "did you mean username"),
        ("fnord", "no option 'fnord'"),
        ("ro=yes", "ro takes no value"),
        ("port", "port needs a value"),
        ("port=0", "port: '0' is not a port"),
        ("port=smb", "not a port"),
        ("vers=1.0", "SMB 1 is not safe"),
        ("vers=4", "is not one of"),
        ("sec=plain", "is not one of"),
        ("sign=never", "nosign goes without"),
        ("uid=no such user", "there is no user"),
        ("file_mode=9", "octal"),
        ("rsize=1", "between"),
        ("actimeo=-1", "between"),
        ("actimeo=soon", "not a number"),
        ("timeout=0", "less than 1 second"),
        ("max_credits=1", "10 to 8192"),
        ("ciphers=rot13", "'rot13' is not one of"),
        ("signing_algorithms=", "'' is not one of"),
        ("client_guid=me", "not a GUID"),
        ("username=", "a user name is missing"),
    ],
)
def test_what_cannot_be_is_refused_by_name(text: str, hint: str) -> None:
    with pytest.raises(BadOption, match=hint):
        parse([text])


@pytest.mark.parametrize(
    "text",
    [
        "seal,vers=2.1",
        "guest,password=x",
        "seal,guest",
        "seal,sec=none",
        "posix,vers=3.0",
        "timeout=5",
    ],
)
def test_options_that_exclude_each_other_are_refused(text: str) -> None:
    with pytest.raises(BadOption):
        check(parse([text]))


def test_later_options_win_and_comments_are_passed_over() -> None:
    options = parse(["username=one,x-systemd.automount,comment=x", "username=two"], Options(port=7))
    assert (options.username, options.port) == ("two", 7)


def test_no_row_says_the_same_name_twice() -> None:
    names = [name for row in TABLE for name in (row.name, *row.aliases)]
    assert len(names) == len(set(names))


def test_every_option_is_in_the_help() -> None:
    text = help_text()
    for row in TABLE:
        assert f"  {row.name}" in text
        assert row.help.split()[0] in text


def test_a_password_is_not_shown_by_the_options() -> None:
    assert "topsecret" not in repr(parse(["password=topsecret"]))
    for word in ("password=x", "pass=x", "username=a%x", "user=a%x"):
        assert holds_secret(word)
    assert not holds_secret("username=a")


@pytest.mark.parametrize(
    "text", ["password=top,secret", "username=a,pass=x,secret,ro", "user=a%b,secret"]
)
def test_the_rest_of_a_password_with_a_comma_is_not_repeated(text: str) -> None:
    with pytest.raises(BadOption, match="comma") as refusal:
        parse([text])
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("text", ["credentials=", "ip=", "keytab=", "port=" + "9" * 5000])
def test_empty_and_endless_values_are_refused_by_name(text: str) -> None:
    with pytest.raises(BadOption, match=text.partition("=")[0]):
        parse([text])


@pytest.mark.parametrize(
    "text", ["guest,sign", "sec=none,sign", "guest,sec=ntlmsspi", "sign,guest"]
)
def test_nobody_signs_without_a_key(text: str) -> None:
    with pytest.raises(BadOption, match="sign needs a user"):
        check(parse([text]))
    check(parse([text, "sign=auto"]))
