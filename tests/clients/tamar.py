"""What the tests of the Model Manager door have in common: its clients, requests and tokens, and a gateway with the door."""

from __future__ import annotations

import base64
import importlib.metadata
import time

import grpc
import jwt
import pytest
from tamar_model_client import AsyncTamarModelClient, TamarModelClient
from tamar_model_client.enums import Channel, InvokeType, ProviderType
from tamar_model_client.generated import model_service_pb2 as pb
from tamar_model_client.generated import model_service_pb2_grpc as stubs
from tamar_model_client.schemas import ModelRequest, UserContext

from conftest import KEY, config
from gateway import Gateway
from words import HI, PIXEL

OLD = importlib.metadata.version("tamar-model-client") == "0.1.16"
newer = pytest.mark.skipif(OLD, reason="0.1.16 has nothing like it")
SECRET = "a secret that both sides know and nobody else"
BEFORE = "the secret that both sides knew before it"
WHO = UserContext(org_id="org", user_id="user", client_type="python-sdk")
PIXEL_BYTES = base64.b64decode(PIXEL.split(",")[1])
GRPC = """
[gateway.grpc]
jwt_secrets = ["env::MODEL_MANAGER_SERVER_JWT_SECRET_KEY", "env::SECRET_BEFORE"]
"""
RESPONDING = """
[models.imagen]
routing = ["mock"]

[models.imagen.providers.mock]
type = "google_ai_studio_gemini"
model_name = "imagen-mock"
api_base = "{0}/v1beta"
api_key_location = "env::MOCK_KEY"

[models.responding]
routing = ["mock"]

[models.responding.providers.mock]
type = "openai"
api_type = "responses"
model_name = "mock-model"
api_base = "{0}/v1"
api_key_location = "env::MOCK_KEY"
"""
ENV = {"MOCK_KEY": KEY, "MODEL_MANAGER_SERVER_JWT_SECRET_KEY": SECRET, "SECRET_BEFORE": BEFORE}


@pytest.fixture(scope="session")
def _server(_upstream, tmp_path_factory):
    text = config(_upstream.url, 1) + RESPONDING.format(_upstream.url) + GRPC
    gateway = Gateway.start(tmp_path_factory.mktemp("tamar"), text, ENV, grpc=True)
    yield gateway
    gateway.stop()


@pytest.fixture
def server(_server, upstream):
    yield _server
    _server.check()


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    monkeypatch.setenv("MODEL_MANAGER_SERVER_GRPC_USE_TLS", "false")


def connect(kind, server, **more):
    # One try: what goes wrong shows at once.
    return kind(**{"server_address": server.grpc, "jwt_secret_key": SECRET, "max_retries": int(OLD), **more})


@pytest.fixture
def client(server):
    client = connect(TamarModelClient, server)
    yield client
    client.close()


@pytest.fixture
async def aclient(server):
    client = connect(AsyncTamarModelClient, server)
    yield client
    await client.close()


def chat(**more) -> ModelRequest:
    plain = {"provider": ProviderType.OPENAI, "invoke_type": InvokeType.CHAT_COMPLETIONS, "model": "gpt"}
    return ModelRequest(**{**plain, "channel": Channel.OPENAI, "messages": HI, "user_context": WHO, **more})


def google(contents, **more) -> ModelRequest:
    plain = {"provider": ProviderType.GOOGLE, "invoke_type": InvokeType.GENERATION, "model": "gemini"}
    return ModelRequest(**{**plain, "channel": Channel.AI_STUDIO, "contents": contents, "user_context": WHO, **more})


def token(secret: str = SECRET, **claims) -> str:
    return jwt.encode({"org_id": "org", "exp": int(time.time()) + 60, **claims}, secret, algorithm="HS256")


class Bare:
    """The same service without the client: for what the client does not show."""

    def __init__(self, server, bearer: str | None = None) -> None:
        self.channel = grpc.insecure_channel(server.grpc)
        self.stub = stubs.ModelServiceStub(self.channel)
        self.metadata = [("authorization", f"Bearer {bearer}")] if bearer else []

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.channel.close()

    def invoke(self, extra: dict, *, metadata=(), **item):
        plain = {"provider": "openai", "invoke_type": "chat-completions", "org_id": "org", "user_id": "user"}
        request = pb.ModelRequestItem(**{**plain, "client_type": "test", **item})
        request.extra.update(extra)
        return self.stub.Invoke(request, metadata=[*self.metadata, *metadata], timeout=20)


@pytest.fixture
def bare(server):
    with Bare(server, token()) as bare:
        yield bare
