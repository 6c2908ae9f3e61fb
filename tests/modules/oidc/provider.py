"""An OpenID provider of this machine, over real HTTP, that does what it is told: right, or wrong in one of many ways."""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from cryptography.hazmat.primitives import serialization
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey

NONE = b'{"alg":"none","typ":"JWT"}'
CLIENT_ID, CLIENT_SECRET = "xumi test", "a secret/with:odd characters"


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Person:
    """Who sits at the browser, as the provider knows him; `claims` are what its ID token says beside the usual."""

    subject: str
    claims: dict[str, Any] = field(default_factory=dict)


class SimulatedProvider:
    """The provider.

    Attributes:
        issuer: its address.
        person: who signs in.
        mode: what it does wrong; empty for nothing.
        change: changes the claims before they are signed.
        algorithm: what it signs with.
        asked: which paths were asked for.
        metadata: what its document says beside the usual.
    """

    def __init__(self) -> None:
        self.issuer = ""
        self.rsa = RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"})
        self.ec = ECKey.generate_key("P-256", {"kid": "ec-1", "use": "sig"})
        self.strangers = RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"})
        # Published, and not for signing.
        self._others: list[dict[str, Any]] = [
            {"kty": "ML-DSA", "kid": "odd-1"},
            dict(OctKey.generate_key(256, {"kid": "oct-1"}).as_dict(private=True)),
            {**self.strangers.as_dict(private=False), "kid": "enc-1", "use": "enc"},
        ]
        self.forget()

    def forget(self) -> None:
        """Do right again, with the same keys, which take long to make."""
        self.person = Person("248289761001")
        self.mode = ""
        self.change: Callable[[dict[str, Any]], object] = lambda claims: None
        self.algorithm = "RS256"
        self.asked: list[str] = []
        self.metadata: dict[str, Any] = {}
        self._codes: dict[str, dict[str, str]] = {}

    def rotate(self) -> None:
        """Sign with another key from now on."""
        self.rsa = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig"})

    def authorize(self, query: dict[str, str]) -> str:
        """The person agrees; where the browser goes then."""
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = self.issue_code(**query)
        answer = {"code": code, "state": query["state"]}
        if self.metadata.get("authorization_response_iss_parameter_supported"):
            answer["iss"] = self.issuer
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def issue_code(self, **query: str) -> str:
        """A code for the token endpoint; it remembers what was asked."""
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        return code

    def document(self) -> dict[str, Any]:
        """Discovery."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            **self.metadata,
        }

    def keys(self) -> dict[str, Any]:
        """The published keys, among some that do not sign."""
        signs = [key.as_dict(private=False) for key in (self.rsa, self.ec)]
        return {"keys": [*self._others, *signs]}

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, object]:
        """The tokens for a code, once, for the client that asked, with its verifier."""
        asked = (
            self._codes.get(form.get("code", ""))
            if self.mode == "codes again"
            else self._codes.pop(form.get("code", ""), None)
        )
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if not self._knows(form, authorization):
            return 401, {"error": "invalid_client"}
        if (
            asked is None
            or encode(verifier) != asked["code_challenge"]
            or form["redirect_uri"] != asked["redirect_uri"]
        ):
            return 400, {"error": "invalid_grant"}
        access_token, now = secrets.token_urlsafe(8), int(time.time())
        half = hashlib.sha256(access_token.encode()).digest()[:16]
        claims = {
            "iss": self.issuer,
            "sub": self.person.subject,
            "aud": CLIENT_ID,
            "exp": now + 300,
            "iat": now,
            "nonce": asked["nonce"],
            "at_hash": encode(half),
            **self.person.claims,
        }
        self.change(claims)
        claims = {name: value for name, value in claims.items() if value is not None}
        return 200, {"access_token": access_token, "token_type": "Bearer", "id_token": self.sign(claims)}

    def _knows(self, form: dict[str, str], authorization: str) -> bool:
        if "client_secret_post" in self.metadata.get("token_endpoint_auth_methods_supported", []):
            return (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        return [unquote_plus(part) for part in pair.split(":")] == [CLIENT_ID, CLIENT_SECRET]

    def sign(self, claims: dict[str, Any]) -> str:
        """The ID token, or what passes for one."""
        payload = json.dumps(claims).encode()
        if self.mode == "alg none":
            return f"{encode(NONE)}.{encode(payload)}."
        if self.mode == "public key as secret":
            public = self.rsa.public_key.public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            head = encode(json.dumps({"alg": "HS256", "kid": "rsa-1"}).encode())
            body = f"{head}.{encode(payload)}"
            return f"{body}.{encode(hmac.digest(public, body.encode(), 'sha256'))}"
        key: RSAKey | ECKey = self.ec if self.algorithm == "ES256" else self.rsa
        head = {"alg": self.algorithm, "kid": key.kid}
        if self.mode == "another's key":
            key = self.strangers
        if self.mode == "unknown kid":
            head["kid"] = "nobody's"
        if self.mode == "key in the head":
            key = self.strangers
            head |= {"jwk": key.as_dict(private=False)}
        if self.mode == "no kid":
            del head["kid"]
        signed = jws.serialize_compact(head, payload, key, algorithms=["RS256", "ES256", "RS512", "PS256"])
        if self.mode == "changed":
            first, _, rest = signed.partition(".")
            changed = encode(json.dumps({**claims, "sub": "admin"}).encode())
            return f"{first}.{changed}.{rest.partition('.')[2]}"
        return signed


class _Handler(BaseHTTPRequestHandler):
    provider: SimulatedProvider

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.provider.asked.append(parts.path)
        if self.provider.mode == "away":
            self._answer(500, {})
        elif self.provider.mode == "talks for ever" and parts.path == "/keys":
            self._answer(200, {"keys": "x" * 2_000_000})
        elif self.provider.mode == "redirects":
            self.send_response(302)
            self.send_header("Location", f"{self.provider.issuer}/elsewhere")
            self.end_headers()
        elif parts.path == "/.well-known/openid-configuration":
            self._answer(200, self.provider.document())
        elif parts.path == "/keys":
            self._answer(200, self.provider.keys())
        elif parts.path == "/authorize":
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            self.send_response(303)
            self.send_header("Location", self.provider.authorize(query))
            self.end_headers()
        else:
            self._answer(404, {})

    def do_POST(self) -> None:
        self.provider.asked.append(self.path)
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        values = {name: found[0] for name, found in form.items()}
        self._answer(*self.provider.token(values, self.headers.get("Authorization", "")))

    def _answer(self, status: int, body: object) -> None:
        encoded = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)


@contextmanager
def run_provider() -> Iterator[SimulatedProvider]:
    """A provider that listens."""
    provider = SimulatedProvider()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"provider": provider}))
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
