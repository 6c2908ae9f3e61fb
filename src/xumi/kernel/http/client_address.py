"""Who calls: the peer, or, behind a proxy that we trust, whom that proxy names."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

Network = IPv4Network | IPv6Network


def client_ip(peer: str, forwarded_for: Iterable[bytes], trusted: Sequence[Network]) -> str:
    """The client's address.

    `X-Forwarded-For` is read from the right: every address that a trusted proxy added is believed, up to and including the
    first one that is not itself a trusted proxy. Everything to its left could be the client's own invention.
    """
    if not trusted or not is_inside(peer, trusted):
        return peer
    believed = peer
    hops = b",".join(forwarded_for).decode("latin-1").split(",")
    for hop in reversed(hops):
        try:
            believed = str(ip_address(hop.strip()))
        except ValueError:
            break
        if not is_inside(believed, trusted):
            break
    return believed


def rate_limit_caller(ip: str) -> str:
    """The caller to count by: the address, or the /64 of an IPv6 address, which is what one customer is given."""
    if ":" not in ip:
        return ip
    try:
        return str(IPv6Network((ip, 64), strict=False))
    except ValueError:
        return ip


def is_inside(address: str, networks: Sequence[Network]) -> bool:
    """Whether an address lies in one of these networks; what is no address lies in none."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)
