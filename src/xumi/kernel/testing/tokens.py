"""A forger of access tokens: every known way to make a reader of JSON Web Tokens believe what it must not.

    for kind, token in forgeries(genuine, secret).items(): …     # each must be refused

Some forgeries are signed with the real key: they show that a reader is strict even about what only we could have written.
"""

import hmac
import json
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from typing import Any

Json = dict[str, Any]

# The public half of a key that an attacker may know and sign with, hoping that HS256 takes it as its secret.
PUBLIC_KEY = b"""-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9
q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==
-----END PUBLIC KEY-----
"""


def encode(data: bytes | Json) -> str:
    """Base64url without padding, of bytes or of an object as compact JSON."""
    raw = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(segment: str) -> Json:
    """The object in a token's segment."""
    return json.loads(urlsafe_b64decode(segment + "=="))  # type: ignore[no-any-return]


def forge(
    header: str | bytes | Json, payload: str | bytes | Json, secret: bytes, digest: str = "sha256"
) -> str:
    """A token of these parts (text is taken as the segment itself), signed with HMAC and this secret."""
    signed = ".".join(part if isinstance(part, str) else encode(part) for part in (header, payload))
    return f"{signed}.{encode(hmac.digest(secret, signed.encode(errors='replace'), digest))}"


def forgeries(genuine: str, secret: str) -> dict[str, str]:
    """Tokens that must be refused, by kind.

    Args:
        genuine: an access token that is valid now.
        secret: the key that it is signed with.
    """
    header, payload = (decode(segment) for segment in genuine.split(".")[:2])
    key = secret.encode()
    return (
        _unsigned(genuine, header, payload)
        | _other_algorithms(header, payload, key)
        | _key_names(header, payload, key)
        | _other_keys(header, payload, key)
        | _claims(header, payload, key)
        | _spellings(genuine, header, payload, key)
    )


def _unsigned(genuine: str, header: Json, payload: Json) -> dict[str, str]:
    found = {}
    for spelling in ("none", "None", "NONE", "nOnE", "", "null"):
        part = f"{encode({**header, 'alg': spelling})}.{encode(payload)}."
        found[f"alg {spelling!r}, no signature"] = part
        found[f"alg {spelling!r}, the genuine signature"] = part + genuine.rpartition(".")[2]
    found["alg null"] = f"{encode({**header, 'alg': None})}.{encode(payload)}."
    found["no signature"] = genuine.rpartition(".")[0] + "."
    found["two segments"] = genuine.rpartition(".")[0]
    return found


def _other_algorithms(header: Json, payload: Json, key: bytes) -> dict[str, str]:
    return {
        "HS384 with the real key": forge({**header, "alg": "HS384"}, payload, key, "sha384"),
        "HS512 with the real key": forge({**header, "alg": "HS512"}, payload, key, "sha512"),
        "HS512 signature under the genuine header": forge(header, payload, key, "sha512"),
        "RS256 signed as HS256 with a public key": forge({**header, "alg": "RS256"}, payload, PUBLIC_KEY),
        "HS256 signed with a public key": forge(header, payload, PUBLIC_KEY),
        "ES256 named, signed with the real key": forge({**header, "alg": "ES256"}, payload, key),
        "alg hs256": forge({**header, "alg": "hs256"}, payload, key),
        "alg is a list": forge({**header, "alg": ["HS256", "none"]}, payload, key),
        "no alg": forge({k: v for k, v in header.items() if k != "alg"}, payload, key),
    }


def _key_names(header: Json, payload: Json, key: bytes) -> dict[str, str]:
    names = {
        "a path": "../../../../dev/null",
        "an absolute path": "/dev/null",
        "SQL": "x' UNION SELECT 'secret' --",
        "a URL": "https://attacker.example/keys.json",
        "a command": "key|/usr/bin/uptime",
        "unknown": "no-such-key",
        "empty": "",
        "a number": 0,
        "a list": [header["kid"]],
        "null": None,
        "NUL behind": f"{header['kid']}\0",
    }
    found = {f"kid is {name}": forge({**header, "kid": kid}, payload, b"") for name, kid in names.items()}
    found |= {
        "kid is unknown, real key": forge({**header, "kid": "no-such-key"}, payload, key),
        "no kid": forge({k: v for k, v in header.items() if k != "kid"}, payload, key),
        "jku": forge({**header, "jku": "https://attacker.example/keys.json"}, payload, key),
        "jwk": forge({**header, "jwk": {"kty": "oct", "k": encode(b"attacker")}}, payload, b"attacker"),
        "x5u": forge({**header, "x5u": "https://attacker.example/cert.pem"}, payload, key),
        "crit": forge({**header, "crit": ["exp"]}, payload, key),
    }
    return found


def _other_keys(header: Json, payload: Json, key: bytes) -> dict[str, str]:
    return {
        "another key": forge(header, payload, b"another key that is long enough too"),
        "the empty key": forge(header, payload, b""),
        "the key with a newline": forge(header, payload, key + b"\n"),
        "the key's name as key": forge(header, payload, str(header["kid"]).encode()),
    }


def _claims(header: Json, payload: Json, key: bytes) -> dict[str, str]:
    """Claims that we would never sign; expiry is not among them (an expired token is an honest one that is old)."""
    changes: dict[str, Json] = {
        "typ is refresh": {"typ": "refresh"},
        "typ is missing": {"typ": None},
        "nbf in the future": {"nbf": payload["exp"]},
        "iat in the future": {"iat": payload["iat"] + 3600, "exp": payload["exp"] + 3600},
        "exp before iat": {"iat": payload["iat"], "exp": payload["iat"]},
        "exp is a text": {"exp": str(payload["exp"])},
        "exp is a fraction": {"exp": payload["exp"] + 0.5},
        "exp is missing": {"exp": None},
        "exp is infinite": {"exp": float("inf")},
        "sub is a number": {"sub": 1},
        "sub is a list": {"sub": [payload["sub"]]},
        "roles is a text": {"roles": "admin"},
        "ver is true": {"ver": True},
        "a claim too many": {"admin": True},
    }
    found = {}
    for name, change in changes.items():
        changed = {k: v for k, v in (payload | change).items() if v is not None}
        found[name] = forge(header, changed, key)
    return found


def _spellings(genuine: str, header: Json, payload: Json, key: bytes) -> dict[str, str]:
    first, second, third = genuine.split(".")
    compact = json.dumps(payload, separators=(",", ":"))
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    neighbour = last[last.index(third[-1]) ^ 1]
    return {
        "empty": "",
        "dots only": "..",
        "edited payload": f"{first}.{encode({**payload, 'roles': ['admin']})}.{third}",
        "edited subject": f"{first}.{encode({**payload, 'sub': 'somebody else'})}.{third}",
        "edited expiry": f"{first}.{encode({**payload, 'exp': payload['exp'] + 10**9})}.{third}",
        "edited session": f"{first}.{encode({**payload, 'sid': '0' * 26})}.{third}",
        "edited epoch": f"{first}.{encode({**payload, 'ver': payload['ver'] + 1})}.{third}",
        "empty header": f".{second}.{third}",
        "empty payload": f"{first}..{third}",
        "claims in the header": forge({**header, **payload}, second, key),
        "NUL in the header": forge(encode(header)[:-1] + "\0", second, key),
        "segments swapped": f"{second}.{first}.{third}",
        "signature first": f"{third}.{first}.{second}",
        "a dot behind": genuine + ".",
        "a dot before": "." + genuine,
        "four segments": f"{genuine}.{third}",
        "a newline behind": genuine + "\n",
        "a space inside": f"{first}. {second}.{third}",
        "padding behind": genuine + "=",
        "padding in the payload": forge(first, second + "==", key),
        "standard alphabet": forge(first, b64encode(compact.encode() + b" " * 2).decode().rstrip("="), key),
        "unused bits of the signature set": f"{first}.{second}.{third[:-1]}{neighbour}",
        "signature cut short": genuine[:-4],
        "signature in hexadecimal": f"{first}.{second}.{hmac.digest(key, f'{first}.{second}'.encode(), 'sha256').hex()}",
        "white space in the payload": forge(first, compact.replace(",", ", ").encode(), key),
        "a key twice": forge(first, (compact[:-1] + ',"roles":["admin"]}').encode(), key),
        "keys in another order": forge(first, dict(reversed(payload.items())), key),
        "header in another order": forge(dict(reversed(header.items())), second, key),
        "a byte order mark": forge(first, b"\xef\xbb\xbf" + compact.encode(), key),
        "UTF-16": forge(first, compact.encode("utf-16"), key),
        "not UTF-8": forge(first, compact.encode().replace(b"access", b"acc\xff"), key),
        "escaped letters": forge(first, compact.replace("access", "\\u0061ccess").encode(), key),
        "payload is a list": forge(first, b"[]", key),
        "payload is null": forge(first, b"null", key),
        "payload is empty": forge(first, b"", key),
        "deep nesting": forge(first, b'{"sub":' + b"[" * 2000 + b"]" * 2000 + b"}", key),
        "16 KB": forge(first, {**payload, "sub": "x" * 16_384}, key),
        "16 KB of dots": "." * 16_384,
        "beyond ASCII": f"{first}.{second}.{third[:-1]}é",
        "full-width dots": genuine.replace(".", "\uff0e"),
        "a lone surrogate": genuine + "\ud800",
        "NUL behind": genuine + "\0",
        "Bearer twice": f"Bearer {genuine}",
        "an encrypted token's five segments": f"{genuine}.{second}.{third}",
    }
