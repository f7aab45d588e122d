"""Addresses that have no place, and IPv4 addresses that travel inside IPv6 ones.

Databases hold rows for some of these all the same (a company's loopback in Virginia, a 6to4 prefix
in California). A private or reserved address says nothing of where its user is, so it has no place;
an embedded address is looked up as itself. The table follows the IANA special-purpose address
registries (RFC 6890) and the documents named beside each prefix.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

_WITHOUT_PLACE_4 = (
    "0.0.0.0/8",  # this network, RFC 791 section 3.2
    "10.0.0.0/8",  # private use, RFC 1918
    "100.64.0.0/10",  # shared address space of carriers' NAT, RFC 6598
    "127.0.0.0/8",  # loopback, RFC 1122 section 3.2.1.3
    "169.254.0.0/16",  # link local, RFC 3927
    "172.16.0.0/12",  # private use, RFC 1918
    "192.0.0.0/24",  # IETF protocol assignments, RFC 6890 section 2.1
    "192.0.2.0/24",  # documentation, RFC 5737
    "192.88.99.0/24",  # deprecated 6to4 relay anycast, RFC 7526
    "192.168.0.0/16",  # private use, RFC 1918
    "198.18.0.0/15",  # benchmarking, RFC 2544
    "198.51.100.0/24",  # documentation, RFC 5737
    "203.0.113.0/24",  # documentation, RFC 5737
    "224.0.0.0/4",  # multicast, RFC 5771
    "240.0.0.0/4",  # reserved, RFC 1112 section 4, with limited broadcast, RFC 919
)
_WITHOUT_PLACE_6 = (
    "::/128",  # unspecified, RFC 4291 section 2.5.2
    "::1/128",  # loopback, RFC 4291 section 2.5.3
    "::/96",  # deprecated IPv4-compatible, RFC 4291 section 2.5.5.1
    "64:ff9b:1::/48",  # local-use translation: the embedding is the operator's, RFC 8215
    "100::/64",  # discard only, RFC 6666
    "2001:2::/48",  # benchmarking, RFC 5180
    "2001:db8::/32",  # documentation, RFC 3849
    "3fff::/20",  # documentation, RFC 9637
    "fc00::/7",  # unique local, RFC 4193
    "fe80::/10",  # link local, RFC 4291 section 2.5.6
    "fec0::/10",  # deprecated site local, RFC 3879
    "ff00::/8",  # multicast, RFC 4291 section 2.7
)

_NETWORKS_4 = tuple(IPv4Network(text) for text in _WITHOUT_PLACE_4)
_NETWORKS_6 = tuple(IPv6Network(text) for text in _WITHOUT_PLACE_6)

_MAPPED = IPv6Network("::ffff:0:0/96")  # IPv4-mapped, RFC 4291 section 2.5.5.2
_TRANSLATED = IPv6Network("64:ff9b::/96")  # NAT64 well-known prefix, RFC 6052 section 2.1
_TEREDO = IPv6Network("2001::/32")  # RFC 4380 section 4
_SIX_TO_FOUR = IPv6Network("2002::/16")  # RFC 3056 section 2
_LOW_32 = 0xFFFF_FFFF
# Longer than any address with a zone; longer text is refused before it is parsed.
ADDRESS_TEXT_MAX = 64


def parsed(text: str) -> Address | None:
    """Return the address written in ``text``, or None if it is not one.

    A zone ("fe80::1%eth0", RFC 4007 section 11) belongs to the sender's machine and is dropped.
    """
    if len(text) > ADDRESS_TEXT_MAX:
        return None
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None


def embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that ``address`` carries, or None if it carries none."""
    if address in _MAPPED or address in _TRANSLATED:
        return IPv4Address(int(address) & _LOW_32)
    if address in _SIX_TO_FOUR:
        return IPv4Address((int(address) >> 80) & _LOW_32)
    if address in _TEREDO:
        # The client's address, obscured by inverting every bit (RFC 4380 section 4). Bits 32 to
        # 63 hold the server's, which may be on another continent.
        return IPv4Address(~int(address) & _LOW_32)
    return None


def has_place(address: Address) -> bool:
    """Whether ``address`` may be looked up at all. Embedding is not considered."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NETWORKS_4)
    return not any(address in network for network in _NETWORKS_6)


def locatable(text: str) -> Address | None:
    """Return the address to look up for a client that shows ``text``, or None for no place."""
    address = parsed(text)
    if isinstance(address, IPv6Address):
        address = embedded(address) or address
    if address is None or not has_place(address):
        return None
    return address
