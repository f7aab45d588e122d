"""Special addresses have no place, and IPv4 inside IPv6 is looked up as what it is."""

import csv
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path

import pytest

from director.geodb.special import embedded, locatable

SHARED = Path(__file__).parents[2].parent / "shared" / "data"

PUBLIC = ["81.2.69.142", "8.8.8.8", "1.1.1.1", "2001:4860:4860::8888", "2a00:1450::1"]
WITHOUT_PLACE = [
    "0.1.2.3",
    "10.1.2.3",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.9",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::808:808",
    "64:ff9b:1::808:808",
    "100::1",
    "2001:2::1",
    "2001:db8::1",
    "3fff::1",
    "fc00::1",
    "fdff::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
JUST_OUTSIDE = ["9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255"]
JUST_OUTSIDE += ["172.32.0.0", "192.0.1.0", "198.17.255.255", "198.20.0.0", "223.255.255.255"]
NOT_ADDRESSES = ["", "localhost", "1.2.3", "1.2.3.4.5", "999.1.1.1", "01.2.3.4", "1.2.3.4/24"]
NOT_ADDRESSES += ["1.2.3.4:80", "[::1]", "::g", "1" * 10_000, "1.2.3.4\x00", " 1.2.3.4"]


@pytest.mark.parametrize("text", PUBLIC + JUST_OUTSIDE)
def test_public_addresses_are_looked_up_as_they_are(text: str) -> None:
    assert locatable(text) == ip_address(text)


@pytest.mark.parametrize("text", WITHOUT_PLACE)
def test_special_addresses_have_no_place(text: str) -> None:
    assert locatable(text) is None


@pytest.mark.parametrize("text", NOT_ADDRESSES)
def test_what_is_not_an_address_has_no_place_and_does_no_harm(text: str) -> None:
    assert locatable(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "::ffff:81.2.69.142",
        "64:ff9b::81.2.69.142",
        "2002:5102:458e::1",
        # RFC 4380 section 4: server 65.54.227.120, client 81.2.69.142 with every bit inverted.
        "2001:0:4136:e378:8000:63bf:aefd:ba71",
    ],
)
def test_an_embedded_address_is_the_one_looked_up(text: str) -> None:
    assert str(locatable(text)) == "81.2.69.142"


@pytest.mark.parametrize(
    "text",
    ["::ffff:10.0.0.1", "64:ff9b::192.168.1.1", "2002:7f00:1::", "2001:0:4136:e378::f5ff:fffe"],
)
def test_an_embedded_private_address_has_no_place_either(text: str) -> None:
    assert embedded(IPv6Address(text)) is not None
    assert locatable(text) is None


def test_the_table_agrees_with_the_published_registry() -> None:
    path = SHARED / "geoip" / "special_prefixes.csv"
    if not path.is_file():
        pytest.skip(f"no registry at {path}")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    for row in rows:
        network = ip_network(row["prefix"])
        for address in (network[0], network[-1]):
            if row["geolocatable"] == "embedded":
                assert isinstance(address, IPv6Address)
                assert embedded(address) is not None
            else:
                assert locatable(str(address)) is None, row
