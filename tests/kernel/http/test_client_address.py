"""Whose address counts."""

from ipaddress import ip_network

import pytest

from xumi.kernel.http.client_address import client_ip, rate_limit_caller
from xumi.kernel.http.failure import choose_locale

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        (
            "198.51.100.7",
            [b"1.2.3.4"],
            "198.51.100.7",
        ),  # not from a proxy of ours: the header is the client's invention
        ("10.0.0.1", [b"1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", [b"6.6.6.6, 1.2.3.4"], "1.2.3.4"),  # the client put 6.6.6.6 there
        ("10.0.0.1", [b"6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4"),
        ("10.0.0.1", [b"6.6.6.6", b"1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", [b"nonsense"], "10.0.0.1"),
        ("10.0.0.1", [b"1.2.3.4, <script>"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("fd00::1", [b"2001:db8::5"], "2001:db8::5"),
    ],
)
def test_forwarded_addresses_count_only_from_trusted_proxies(
    peer: str, forwarded: list[bytes], expected: str
) -> None:
    assert client_ip(peer, forwarded, TRUSTED) == expected


def test_no_proxy_is_trusted_by_default() -> None:
    assert client_ip("127.0.0.1", [b"1.2.3.4"], []) == "127.0.0.1"


def test_an_ipv6_customer_is_one_caller() -> None:
    assert rate_limit_caller("2001:db8:1:2:3:4:5:6") == rate_limit_caller("2001:db8:1:2::1")
    assert rate_limit_caller("192.0.2.1") == "192.0.2.1"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("fr,zh;q=0.5", "zh"),
        ("zh;q=0", "en"),
        ("zh;q=nonsense", "en"),
        ("zh-Hant", "zh"),
        ("de", "en"),
        ("," * 5000, "en"),
    ],
)
def test_the_language_is_the_one_that_the_client_likes_best(header: str, expected: str) -> None:
    assert choose_locale(header) == expected
