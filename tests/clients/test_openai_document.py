"""What reaches OpenAI, held against OpenAI's own OpenAPI document: what passes, and what the gateway writes itself.

`SABIR_OPENAPI` names the document; `SABIR_BODIES` the bodies that the gateway's own tests let it send.

Invariant: the provider that is asked here checks every request; one that is wrong fails the test, whatever came back.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from document import Document, make
from gateway import Gateway
from recorder import Recorder, Said
from upstream import OPENAI_CHAT, RESPONSE

FILE = os.environ.get("SABIR_OPENAPI")
if not FILE or not Path(FILE).is_file():
    pytest.skip("SABIR_OPENAPI names no OpenAPI document", allow_module_level=True)

DOCUMENT = Document(Path(FILE).read_text())
KEY = "key-of-the-provider-0123456789"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
# Doors of the gateway's own, which write what they send themselves or answer by themselves.
OWN = re.compile(r"/(chat/completions|embeddings|responses|conversations|files|batches|images|audio|moderations|models)\b")


class Checked(Recorder):
    """A provider that checks what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []

    def say(self, got) -> Said:
        target = got.target.removeprefix("/v1")
        wrong = DOCUMENT.wrong(got.method, target, dict(got.headers), got.body)
        self.wrong += [f"{what}\n{got.body[:2000]!r}" for what in wrong]
        said = super().say(got)
        if target.startswith("/chat/completions") and got.method == "POST":
            said = Said(200, {"content-type": "application/json"}, json.dumps(OPENAI_CHAT).encode())
        if target.startswith("/responses") and got.method == "POST":
            said = Said(200, {"content-type": "application/json"}, json.dumps(RESPONSE).encode())
        return said


@pytest.fixture(scope="module")
def _checked():
    checked = Checked()
    yield checked
    checked.close()


@pytest.fixture
def checked(_checked):
    _checked.reset()
    _checked.wrong.clear()
    yield _checked
    assert not _checked.wrong, "\n".join(_checked.wrong)


@pytest.fixture(scope="module")
def gateway(_checked, tmp_path_factory):
    models = "".join(
        f'[models.{name}.providers.a]\ntype = "openai"\nmodel_name = "gpt-5.2"\napi_type = "{kind}"\n'
        f'api_base = "{_checked.url}/v1"\napi_key_location = "env::MOCK_KEY"\n'
        for name, kind in (("chat", "chat_completions"), ("native", "responses"))
    )
    usual = f'[provider_types.openai.defaults]\napi_base = "{_checked.url}/v1"\napi_key_location = "env::MOCK_KEY"\n'
    gateway = Gateway.start(tmp_path_factory.mktemp("document"), usual + models, {"MOCK_KEY": KEY})
    yield gateway
    gateway.stop()


def test_the_document_is_there():
    assert len(DOCUMENT.operations) > 250
    found = DOCUMENT.find("POST", "/chat/completions")
    assert found and DOCUMENT.wrong("POST", "/chat/completions", {"content-type": "application/json"}, b"{}")
    assert DOCUMENT.wrong("GET", "/nowhere", {}, b"")
    assert DOCUMENT.wrong("GET", "/files?odd=1", {}, b"")


def target(operation, needed: bool) -> tuple[str, str]:
    """A path and a query, with the parameters that are needed or with all."""
    path = re.sub(r"\{[^}]*\}", "id%2F1", operation.path.split("?")[0])
    names = [one["name"] for one in operation.parameters if one["in"] == "query" and (one.get("required") or not needed)]
    query = "&".join(f"{name}={operation.fixed.get(name, 'x')}" for name in names)
    return path, f"?{query}" if query else ""


JSON = [one for one in DOCUMENT.operations if "application/json" in one.content]


@pytest.mark.parametrize("whole", [False, True], ids=["least", "all"])
@pytest.mark.parametrize("operation", JSON, ids=str)
def test_every_body_passes(operation, whole, gateway, checked):
    """What the document describes arrives as it was sent."""
    schema = operation.content["application/json"]["schema"]
    said = make(DOCUMENT, schema, whole)
    path, query = target(operation, needed=True)
    body = json.dumps(said).encode()
    wrong = DOCUMENT.wrong(operation.method, path + query, {"content-type": "application/json"}, body)
    if wrong and whole:
        # Members that exclude one another: the least that may be said has been sent already.
        said = make(DOCUMENT, schema, False)
        body = json.dumps(said).encode()
        wrong = DOCUMENT.wrong(operation.method, path + query, {"content-type": "application/json"}, body)
    assert not wrong, f"what was made up is not good: {wrong}"
    answer = gateway.ask(operation.method.upper(), f"/v1{path}{query}", body)
    if OWN.match(operation.path):
        # What is made up here as an answer is not what such a door looks for; what it sent is checked all the same.
        assert answer.json, answer.text
        return
    assert answer.status == 200, answer.text
    (got,) = checked.arrived
    assert (got.method, got.target, got.body) == (operation.method.upper(), f"/v1{path}{query}", body)


BODYLESS = [one for one in DOCUMENT.operations if not one.content and not OWN.match(one.path)]


@pytest.mark.parametrize("operation", BODYLESS, ids=str)
def test_every_path_passes(operation, gateway, checked):
    path, query = target(operation, needed=False)
    answer = gateway.ask(operation.method.upper(), f"/v1{path}{query}")
    assert answer.status in (200, 204), answer.text
    assert [got.target for got in checked.arrived] == [f"/v1{path}{query}"]


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ANTHROPIC = {
    "plain": {"max_tokens": 64, "system": "Be brief.", "messages": [{"role": "user", "content": "hi"}]},
    "parameters": {
        "max_tokens": 64, "temperature": 0.5, "top_p": 0.5, "stop_sequences": ["a"],
        "metadata": {"user_id": "u"}, "messages": [{"role": "user", "content": "hi"}],
    },
    "tools": {
        "max_tokens": 64,
        "tools": [{"name": "weather", "description": "d", "input_schema": SCHEMA}],
        "tool_choice": {"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "look"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
            ]},
            {"role": "assistant", "content": [{"type": "text", "text": "so"},
                                              {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "x"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "rain"}]}]},
        ],
    },
    "thinking": {
        "max_tokens": 4096, "thinking": {"type": "enabled", "budget_tokens": 2048},
        "messages": [{"role": "user", "content": "hi"}],
    },
}
GEMINI = {
    "plain": {"systemInstruction": {"parts": [{"text": "Be brief."}]}, "contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
    "parameters": {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "generationConfig": {"temperature": 0.5, "topP": 0.5, "maxOutputTokens": 64, "stopSequences": ["a"], "seed": 1,
                             "responseMimeType": "application/json", "responseSchema": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}},
    },
    "tools": {
        "tools": [{"functionDeclarations": [{"name": "weather", "description": "d", "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}},
        "contents": [
            {"role": "user", "parts": [{"text": "look"}, {"inlineData": {"mimeType": "image/png", "data": PIXEL}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {"city": "x"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"sky": "rain"}}}]},
        ],
    },
}
TENSORZERO = {
    "plain": {"input": {"system": "Be brief.", "messages": [{"role": "user", "content": "hi"}]}},
    "parameters": {
        "input": {"messages": [{"role": "user", "content": "hi"}]},
        "params": {"chat_completion": {"temperature": 0.5, "max_tokens": 64, "seed": 1, "top_p": 0.5, "stop_sequences": ["a"],
                                       "presence_penalty": 0.1, "frequency_penalty": 0.1}},
        "output_schema": SCHEMA,
    },
    "tools": {
        "additional_tools": [{"name": "weather", "description": "d", "parameters": SCHEMA, "strict": True}],
        "tool_choice": {"specific": "weather"},
        "parallel_tool_calls": False,
        "input": {"messages": [
            {"role": "user", "content": [{"type": "text", "text": "look"}]},
            {"role": "assistant", "content": [{"type": "tool_call", "id": "t1", "name": "weather", "arguments": "{\"city\":\"x\"}"}]},
            {"role": "user", "content": [{"type": "tool_result", "id": "t1", "name": "weather", "result": "rain"}]},
        ]},
    },
}
DOORS = {
    "anthropic": (ANTHROPIC, lambda model, body: ("/v1/messages", {"model": model, **body})),
    "gemini": (GEMINI, lambda model, body: (f"/v1beta/models/{model}:generateContent", body)),
    "tensorzero": (TENSORZERO, lambda model, body: ("/inference", {"model_name": model, **body})),
}
CASES = [(door, case) for door, (cases, _) in DOORS.items() for case in cases]


@pytest.mark.parametrize("model", ["chat", "native"])
@pytest.mark.parametrize(("door", "case"), CASES, ids=["-".join(one) for one in CASES])
def test_what_the_gateway_writes(door, case, model, gateway, checked):
    """Other protocols' requests in OpenAI's words, as chat completions and as responses."""
    cases, ask = DOORS[door]
    # Responses has neither stop texts nor penalties nor a seed.
    if model == "native" and case == "parameters":
        drop = {"stop_sequences", "stopSequences", "seed", "presence_penalty", "frequency_penalty"}
        said = json.loads(json.dumps(cases[case]), object_hook=lambda one: {k: v for k, v in one.items() if k not in drop})
    else:
        said = cases[case]
    answer = gateway.post(*ask(model, said))
    assert answer.status == 200, answer.text
    assert checked.arrived[0].target == ("/v1/responses" if model == "native" else "/v1/chat/completions")


BODIES = os.environ.get("SABIR_BODIES")


@pytest.mark.skipif(not BODIES or not Path(BODIES).is_file(), reason="SABIR_BODIES names no file of bodies")
def test_all_that_the_gateways_own_tests_send():
    """Every door, every scenario: those that went to OpenAI itself."""
    paths = {"openai": "/chat/completions", "openai-0": "/chat/completions", "openai-1": "/responses"}
    wrong, seen = [], set()
    for line in Path(BODIES).read_text().splitlines():
        one = json.loads(line)
        if path := paths.get(one["model"]):
            seen.add((one["door"], path))
            for item in one["body"]["input"] if path == "/responses" else []:
                # The document wants an id. With it the server insists on the very item that followed, so a sealed
                # thought goes without.
                if isinstance(item, dict) and item.get("type") == "reasoning" and item.get("encrypted_content"):
                    item.setdefault("id", "rs_0")
            body = json.dumps(one["body"]).encode()
            found = DOCUMENT.wrong("POST", path, {"content-type": "application/json"}, body)
            wrong += [f"{one['door']}, {one['scenario']}: {what}" for what in found]
    assert len({door for door, _ in seen}) > 2 and {path for _, path in seen} == set(paths.values())
    assert not wrong, "\n".join(sorted(set(wrong)))
