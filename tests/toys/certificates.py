"""Self-signed certificates with their keys, made by arithmetic alone: tests of TLS then need no other program.

ECDSA over P-256 as in FIPS 186-5, certificates as in RFC 5280.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
EC_KEY, P256, ECDSA_SHA256 = "1.2.840.10045.2.1", "1.2.840.10045.3.1.7", "1.2.840.10045.4.3.2"
COMMON_NAME, SAN, BASIC, USAGE, KEY_ID = "2.5.4.3", "2.5.29.17", "2.5.29.19", "2.5.29.15", "2.5.29.14"


def write_certificate(folder: Path, *names: str, days: int = 30) -> tuple[str, str]:
    """Write `cert.pem` and `key.pem` for these host names and addresses, and return their paths."""
    private = secrets.randbelow(N - 1) + 1
    x, y = _times(private, G)
    public = b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")
    signed_with = _sequence(_oid(ECDSA_SHA256))
    curve = _sequence(_oid(EC_KEY), _oid(P256))
    name = _sequence(_tagged(0x31, _sequence(_oid(COMMON_NAME), _tagged(0x0C, b"test"))))
    begin = datetime.now(UTC) - timedelta(days=1)
    times = [_tagged(0x17, f"{t:%y%m%d%H%M%SZ}".encode()) for t in (begin, begin + timedelta(days=days + 1))]
    body = _sequence(
        _tagged(0xA0, _integer(2)),
        _integer(secrets.randbits(100)),
        signed_with,
        name,
        _sequence(*times),
        name,
        _sequence(curve, _bits(public)),
        _tagged(0xA3, _sequence(*_extensions(names, public))),
    )
    certificate = _sequence(body, signed_with, _bits(_signature(private, body)))
    key = _sequence(_integer(1), _tagged(0x04, private.to_bytes(32, "big")), _tagged(0xA1, _bits(public)))
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_text(_pem("CERTIFICATE", certificate))
    paths[1].write_text(_pem("PRIVATE KEY", _sequence(_integer(0), curve, _tagged(0x04, key))))
    return str(paths[0]), str(paths[1])


def _extensions(names, public):
    alternatives = _sequence(*map(_alternative, names))
    key_id = _tagged(0x04, hashlib.sha1(public).digest())
    for kind, critical, value in [
        (BASIC, True, _sequence(_tagged(0x01, b"\xff"))),
        (USAGE, True, _tagged(0x03, b"\x02\x84")),  # digitalSignature, keyCertSign
        (KEY_ID, False, key_id),
        (SAN, False, alternatives),
    ]:
        yield _sequence(_oid(kind), _tagged(0x01, b"\xff") if critical else b"", _tagged(0x04, value))


def _alternative(name):
    try:
        return _tagged(0x87, ipaddress.ip_address(name).packed)
    except ValueError:
        return _tagged(0x82, name.encode())


def _signature(private, message):
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    nonce = secrets.randbelow(N - 1) + 1
    r = _times(nonce, G)[0] % N
    return _sequence(_integer(r), _integer(pow(nonce, -1, N) * (digest + r * private) % N))


def _times(factor, point):
    total = None
    while factor:
        if factor & 1:
            total = point if total is None else _sum(total, point)
        point = _sum(point, point)
        factor >>= 1
    return total


def _sum(a, b):
    """Two points of the curve, neither of them the other's opposite."""
    rise, run = (3 * a[0] * a[0] - 3, 2 * a[1]) if a == b else (b[1] - a[1], b[0] - a[0])
    slope = rise * pow(run, -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def _tagged(tag, content):
    size = len(content)
    length = (
        bytes([size]) if size < 128 else bytes([0x80 + (n := (size.bit_length() + 7) // 8)]) + size.to_bytes(n, "big")
    )
    return bytes([tag]) + length + content


def _sequence(*parts):
    return _tagged(0x30, b"".join(parts))


def _integer(value):
    return _tagged(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _bits(content):
    return _tagged(0x03, b"\0" + content)


def _oid(dotted):
    first, second, *rest = map(int, dotted.split("."))
    content = bytearray([40 * first + second])
    for number in rest:
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(number & 0x7F | 0x80)
        content += bytes(reversed(groups))
    return _tagged(0x06, bytes(content))


def _pem(kind, content):
    text = base64.encodebytes(content).decode()
    return f"-----BEGIN {kind}-----\n{text}-----END {kind}-----\n"
