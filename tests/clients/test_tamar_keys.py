"""Tokens that are signed with private keys: public keys of the configuration, and an issuer's."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import jwt
import pytest
from tamar_model_client import AsyncTamarModelClient, TamarModelClient

from conftest import KEY, config
from gateway import Gateway
from tamar import SECRET, Bare, chat, connect, newer, token
from tamar import plain  # noqa: F401  a fixture
from words import HI

pytestmark = pytest.mark.tamar

crypto = pytest.importorskip("cryptography.hazmat.primitives", reason="needs `cryptography` to sign tokens")
from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: E402

RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
ALGORITHMS = {
    "RS256": RSA, "RS384": RSA, "RS512": RSA, "PS256": RSA, "PS384": RSA, "PS512": RSA,
    "ES256": P256, "ES384": P384, "EdDSA": ED25519,
}


def public(key) -> bytes:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, kind)


def signed(key, algorithm: str, kid: str | None = None, **claims) -> str:
    claims = {"exp": int(time.time()) + 60, **claims}
    return jwt.encode(claims, key, algorithm, headers={"kid": kid} if kid else None)


def jwk(key, kid: str) -> dict:
    kind = {rsa.RSAPrivateKey: "RSA", ec.EllipticCurvePrivateKey: "EC", ed25519.Ed25519PrivateKey: "OKP"}
    name = next(name for base, name in kind.items() if isinstance(key, base))
    algorithm = {"RSA": jwt.algorithms.RSAAlgorithm, "EC": jwt.algorithms.ECAlgorithm, "OKP": jwt.algorithms.OKPAlgorithm}[name]
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig"}


class Issuer:
    """Publishes keys, and counts who asks for them."""

    def __init__(self, keys: dict) -> None:
        self.keys, self.asked, self.status = keys, 0, 200
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                body = json.dumps({"keys": [jwk(key, kid) for kid, key in issuer.keys.items()]}).encode()
                self.send_response(issuer.status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/jwks.json"


@pytest.fixture
def issuer():
    issuer = Issuer({"k1": RSA, "k2": P256})
    yield issuer
    issuer.server.shutdown()


def start(folder, upstream, settings: str, **env) -> Gateway:
    return Gateway.start(folder, config(upstream.url, 1) + f"\n[gateway.grpc]\n{settings}\n", {"MOCK_KEY": KEY, **env}, grpc=True)


def answer(gateway, bearer: str) -> str:
    """What a call says, or why the caller is not let in; the same over HTTP."""
    body = {"provider": "openai", "invoke_type": "chat-completions", "model": "gpt", "messages": HI}
    over_http = gateway.post("/v1/invoke", body, {"authorization": f"Bearer {bearer}"})
    with Bare(gateway, bearer) as bare:
        try:
            (item,) = bare.invoke({"model": "gpt", "messages": HI})
        except grpc.RpcError as error:
            status = {401: grpc.StatusCode.UNAUTHENTICATED, 503: grpc.StatusCode.UNAVAILABLE}
            assert status[over_http.status] == error.code()
            assert over_http.json["error"].endswith(error.details())
            return error.details()
    assert over_http.status == 200 and over_http.json["content"] == item.content
    return item.content


def test_every_algorithm_with_a_key_of_the_configuration(upstream, tmp_path):
    pems = b"".join(public(key) for key in (RSA, P256, P384, ED25519)).decode()
    gateway = start(tmp_path / "g", upstream, 'jwt_keys = ["env::PEMS"]', PEMS=pems)
    for algorithm, key in ALGORITHMS.items():
        assert answer(gateway, signed(key, algorithm)) == "Hello there.", algorithm
    other = rsa.generate_private_key(65537, 2048)
    assert "another key" in answer(gateway, signed(other, "RS256"))
    assert "has expired" in answer(gateway, signed(RSA, "RS256", exp=int(time.time()) - 120))
    # There is no secret, and a public key is none.
    assert "shared secret" in answer(gateway, token())
    for secret in (pems.encode(), public(RSA), public(RSA).strip()):
        head, claims, _ = jwt.encode({"exp": int(time.time()) + 60}, SECRET, "HS256").split(".")
        made = hmac.new(secret, f"{head}.{claims}".encode(), hashlib.sha256).digest()
        assert "shared secret" in answer(gateway, f"{head}.{claims}.{jwt.utils.base64url_encode(made).decode()}")
    gateway.stop()


def test_secrets_and_keys_count_side_by_side(upstream, tmp_path):
    (tmp_path / "public.pem").write_bytes(public(P256))
    settings = f'jwt_keys = ["path::{tmp_path}/public.pem"]\njwt_issuer = ["one", "two"]\njwt_audience = "sabir"'
    gateway = start(tmp_path / "g", upstream, settings, MODEL_MANAGER_SERVER_JWT_SECRET_KEY=SECRET)
    meant = {"iss": "two", "aud": ["other", "sabir"]}
    assert answer(gateway, signed(P256, "ES256", **meant)) == "Hello there."
    assert answer(gateway, token(**meant)) == "Hello there."
    assert "`iss`" in answer(gateway, token(aud="sabir"))
    assert "`aud`" in answer(gateway, signed(P256, "ES256", iss="one", aud="other"))
    gateway.stop()


def test_an_issuers_keys(upstream, tmp_path, issuer):
    gateway = start(tmp_path / "g", upstream, f'jwks_url = "{issuer.url}"')
    assert issuer.asked == 0
    assert answer(gateway, signed(RSA, "RS256", "k1")) == "Hello there."
    assert answer(gateway, signed(P256, "ES256", "k2")) == "Hello there."
    assert answer(gateway, signed(P256, "ES256")) == "Hello there."
    assert issuer.asked == 1
    # Another key's name, or one that nobody knows, does not help, and does not make the gateway ask again and again.
    assert "another key" in answer(gateway, signed(RSA, "RS256", "k2"))
    for number in range(5):
        assert "another key" in answer(gateway, signed(ED25519, "EdDSA", f"made-up-{number}"))
    assert issuer.asked == 1
    gateway.stop()


def test_an_issuer_that_is_down(upstream, tmp_path, issuer):
    issuer.status = 500
    gateway = start(tmp_path / "g", upstream, f'jwks_url = "{issuer.url}"', MODEL_MANAGER_SERVER_JWT_SECRET_KEY=SECRET)
    assert "500" in answer(gateway, signed(RSA, "RS256", "k1"))
    # Whoever has the secret does not need it.
    assert answer(gateway, token()) == "Hello there."
    gateway.stop()


@newer
async def test_the_clients_show_such_tokens(upstream, tmp_path, issuer):
    gateway = start(tmp_path / "g", upstream, f'jwks_url = "{issuer.url}"')
    mine = {"jwt_secret_key": None, "jwt_token": signed(P256, "ES256", "k2")}
    with connect(TamarModelClient, gateway, **mine) as client:
        assert client.invoke(chat()).content == "Hello there."
    async with connect(AsyncTamarModelClient, gateway, **mine) as client:
        assert (await client.invoke(chat())).content == "Hello there."
    gateway.stop()
