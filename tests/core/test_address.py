"""Credentials go only to addresses that are safe, and a bad connection is named before any request."""

import pytest

from include.errors import SetupWrong
from include.servicenow.settings import read_settings
from include.web.address import base_url


def _read(**changes):
    values = {"host": "https://x.example", "login": "u", "password": "PASS-9", "port": None, "scheme": None}
    extra = {"client_id": "ID-9", "client_secret": "SECRET-9"} | changes.pop("extra", {})
    return read_settings("snow", **(values | changes), extra=extra)


@pytest.mark.parametrize(
    ("host", "options", "expected"),
    [
        ("https://acme.service-now.com/", {}, "https://acme.service-now.com"),
        ("acme.service-now.com", {}, "https://acme.service-now.com"),
        ("ACME.service-now.com", {"port": 8443}, "https://acme.service-now.com:8443"),
        ("https://gateway.example/snow/", {}, "https://gateway.example/snow"),
        ("http://127.0.0.1:8080", {}, "http://127.0.0.1:8080"),
        ("127.0.0.1", {"scheme": "http", "port": 80}, "http://127.0.0.1:80"),
        ("http://localhost:1", {}, "http://localhost:1"),
        ("http://[::1]:1", {}, "http://[::1]:1"),
        ("http://127.9.9.9", {}, "http://127.9.9.9"),
    ],
)
def test_a_host_becomes_a_base_url(host, options, expected):
    """https is assumed, a trailing slash is dropped, and plain http is fine on loopback."""
    assert base_url(host, connection="c", **options) == expected


@pytest.mark.parametrize(
    "host", ["http://acme.service-now.com", "HTTP://10.0.0.1", "http://0.0.0.0", "http://localhost.example",
             "http://127.0.0.1.example", "http://127.1"],
)  # fmt: skip
def test_plain_http_to_another_machine_is_refused(host):
    """Credentials never travel unencrypted: http is refused for every host but loopback, by connection and host."""
    with pytest.raises(SetupWrong, match=r"'c' uses plain http to "):
        base_url(host, connection="c")
    with pytest.raises(SetupWrong, match=r"'c' uses plain http to "):
        base_url(host.partition("://")[2], connection="c", scheme="http")


@pytest.mark.parametrize("host", [None, "", "  "])
def test_a_missing_host_is_named(host):
    """A connection without a host is one clear error."""
    with pytest.raises(SetupWrong, match="'c' has no host"):
        base_url(host, connection="c")


@pytest.mark.parametrize(
    "host",
    ["https://", "https:///x", "https://a b.example", "https://x.example:port", "https://x.example:99999",
     "https://x.example?a=b", "https://x.example#f", "https://[::1", "ftp://x.example", "file:///etc/passwd",
     "javascript:alert(1)"],
)  # fmt: skip
def test_a_malformed_host_is_named(host):
    """What is no https address is refused with the connection's name."""
    with pytest.raises(SetupWrong, match="Connection 'c' has"):
        base_url(host, connection="c")


@pytest.mark.parametrize("host", ["https://me:S3CRET@x.example", "https://me:S3CRET@x.example:bad", "me:S3CRET@x y"])
def test_credentials_in_a_host_are_refused_and_not_shown(host):
    """A password in the host is refused, and the message does not repeat it."""
    with pytest.raises(SetupWrong) as caught:
        base_url(host, connection="c")
    assert "S3CRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"login": None}, "login"),
        ({"password": ""}, "password"),
        ({"extra": {"client_id": ""}}, "client_id"),
        ({"extra": {"client_secret": None}}, "client_secret"),
        ({"extra": {"grant_type": "refresh_token"}}, "refresh_token"),
        ({"extra": {"grant_type": "client_credentials", "client_secret": ""}}, "client_secret"),
    ],
)
def test_what_a_connection_lacks_is_named(changes, missing):
    """A missing credential is named with the connection, and no other credential is shown."""
    with pytest.raises(SetupWrong, match=missing) as caught:
        _read(**changes)
    assert "'snow'" in str(caught.value)
    assert not any(secret in str(caught.value) for secret in ("PASS-9", "SECRET-9", "ID-9"))


def test_client_credentials_need_no_user():
    """With the client_credentials grant, login and password may be empty."""
    assert _read(login=None, password=None, extra={"grant_type": "client_credentials"}).username == ""


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"colum_keys": "name"}, "colum_keys"),
        ({"column_keys": "labels"}, "column_keys"),
        ({"grant_type": "jwt"}, "grant_type"),
        ({"grant_type": ["password"]}, "grant_type"),
    ],
)
def test_unknown_or_wrong_extras_are_named(extra, words):
    """A misspelled extra is not ignored."""
    with pytest.raises(SetupWrong, match=words):
        _read(extra=extra)


def test_no_secret_is_in_the_settings_text():
    """Whoever prints the settings sees no credential."""
    settings = _read(extra={"refresh_token": "REFRESH-9"})
    assert not any(word in repr(settings) for word in ("PASS-9", "SECRET-9", "ID-9", "REFRESH-9"))
    assert settings.column_keys == "label"
