"""What the gateway sends to providers, held against the providers' own types.

The bodies are those that the gateway's own tests let it send: every door, every scenario, every family
(`SABIR_BODIES=FILE cargo test -p sabir-server --test gateway matrix`, which `cargo xtask clients` runs).

Invariant: a member that a provider's types do not know fails, as does a value of another type; nothing is converted.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import pkgutil
import re
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter
from typing_extensions import is_typeddict

FILE = os.environ.get("SABIR_BODIES")
if not FILE or not Path(FILE).is_file():
    pytest.skip("SABIR_BODIES names no file of bodies: `cargo xtask clients` makes one", allow_module_level=True)

SENT = [json.loads(line) for line in Path(FILE).read_text().splitlines()]
# Who speaks which family's protocol without a dialect of its own.
OWNERS = {
    "openai": ("openai-0", "openai"),
    "responses": ("openai-1",),
    "anthropic": ("anthropic-2", "anthropic"),
    "gemini": ("google_ai_studio_gemini-3", "google_ai_studio_gemini", "vertex"),
    "bedrock": ("bedrock-4", "bedrock"),
}


def sent(family: str) -> list[dict]:
    return [one for one in SENT if one["model"] in OWNERS[family]]


def about(one: dict) -> str:
    return f"{one['door']} to {one['model']}, {one['scenario']}, stream {one['stream']}: {json.dumps(one['body'])}"


def strict(package: str) -> None:
    """No type of this package takes members that it does not know."""
    root = importlib.import_module(package)
    for module in pkgutil.walk_packages(root.__path__, f"{package}."):
        for kind in vars(importlib.import_module(module.name)).values():
            if is_typeddict(kind):
                kind.__pydantic_config__ = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


def exhaust(value, models: bool) -> None:
    """Reads lists that are only looked at when they are read. `models`: whether the types are models.

    Where they are typed dictionaries, a model is one of an answer's, which takes members that it does not know.
    """
    if isinstance(value, dict):
        for inner in value.values():
            exhaust(inner, models)
    elif not isinstance(value, (str, bytes, int, float, bool, type(None))):
        assert models or not isinstance(value, BaseModel), f"no type of a request, but only {type(value)}: {value}"
        for inner in value:
            exhaust(inner, models)


# Making one takes longer than using it a thousand times.
adapter = functools.cache(TypeAdapter)


def check(kind, one: dict, body) -> None:
    try:
        exhaust(adapter(kind).validate_python(body), models=not is_typeddict(kind))
    except Exception as error:
        # The kinds of an item are many, and each says why it is not the one.
        raise AssertionError(f"{about(one)}\n{str(error)[:4000]}") from None


def test_every_family_and_every_door_is_there():
    for family in OWNERS:
        bodies = sent(family)
        assert {one["door"] for one in bodies} >= {
            "OpenAI", "OpenAI Responses", "Anthropic", "Gemini", "TensorZero", "Model Manager",
        }
        assert {one["stream"] for one in bodies} == {True, False}
        assert {one["scenario"] for one in bodies} >= {
            "plain", "system", "turns", "tools", "parallel tools", "image", "schema", "thoughts", "length",
        }


def test_chat_completions():
    strict("openai.types.chat")
    strict("openai.types.shared_params")
    from openai.types.chat import completion_create_params as params

    for one in sent("openai"):
        kind = params.CompletionCreateParamsStreaming if one["stream"] else params.CompletionCreateParamsNonStreaming
        body = dict(one["body"])
        # Not a member of OpenAI's own, but of what reads thoughts again (DeepSeek, vLLM); OpenAI ignores it. It comes
        # here only where a caller wrote it and the bytes went through.
        if one["door"] == "OpenAI" and one["scenario"] == "thoughts":
            for message in body["messages"]:
                message.pop("reasoning_content", None)
        check(kind, one, body)


def test_responses():
    strict("openai.types.responses")
    strict("openai.types.shared_params")
    from openai.types.responses import response_create_params as params

    for one in sent("responses"):
        kind = params.ResponseCreateParamsStreaming if one["stream"] else params.ResponseCreateParamsNonStreaming
        body = dict(one["body"])
        # The types want an id of every thought; the API wants none of one that is sealed, and doors of other protocols
        # have no place for it.
        body["input"] = [
            {"id": "rs_0", **item} if item.get("type") == "reasoning" and item.get("encrypted_content") else item
            for item in body["input"]
        ]
        check(kind, one, body)


def test_anthropic():
    pytest.importorskip("anthropic", reason="this environment has no client of Anthropic's")
    strict("anthropic.types")
    from anthropic.types import message_create_params as params

    for one in sent("anthropic"):
        kind = params.MessageCreateParamsStreaming if one["stream"] else params.MessageCreateParamsNonStreaming
        check(kind, one, one["body"])


def test_gemini():
    types = pytest.importorskip("google.genai.types", reason="this environment has no client of Google's")
    # The body as REST has it: the client's own types for each member.
    members = {
        "contents": list[types.Content],
        "systemInstruction": types.Content,
        "tools": list[types.Tool],
        "toolConfig": types.ToolConfig,
        "generationConfig": types.GenerationConfig,
        "safetySettings": list[types.SafetySetting],
        "cachedContent": str,
    }
    assert types.Content.model_config["extra"] == "forbid"
    for one in sent("gemini"):
        unknown = one["body"].keys() - members.keys()
        assert not unknown, f"{unknown}: {about(one)}"
        for name, value in one["body"].items():
            check(members[name], one, value)


def test_strange_members_fail():
    """The checks above would see one, however deep it stands."""
    one = {"door": "none", "model": "none", "scenario": "none", "stream": False, "body": {}}
    types = pytest.importorskip("google.genai.types", reason="this environment has no client of Google's")
    params = pytest.importorskip("anthropic.types.message_create_params", reason="no client of Anthropic's")
    strict("anthropic.types")
    text = {"type": "text", "text": "hi"}
    body = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": [text]}]}
    check(params.MessageCreateParamsNonStreaming, one, body)
    text["zz"] = 1
    with pytest.raises(AssertionError):
        check(params.MessageCreateParamsNonStreaming, one, body)
    check(types.Content, one, {"role": "user", "parts": [{"text": "hi"}]})
    with pytest.raises(AssertionError):
        check(types.Content, one, {"role": "user", "parts": [{"text": "hi", "zz": 1}]})


def test_bedrock():
    session = pytest.importorskip("botocore.session", reason="this environment has no client of AWS's")
    from botocore.validate import ParamValidator

    service = session.get_session().get_service_model("bedrock-runtime")
    for one in sent("bedrock"):
        model, method = re.fullmatch(r"/model/([^/]+)/(converse|converse-stream)", one["path"]).groups()
        assert (method == "converse-stream") == one["stream"]
        shape = service.operation_model("ConverseStream" if one["stream"] else "Converse").input_shape
        report = ParamValidator().validate({"modelId": model, **one["body"]}, shape)
        assert not report.has_errors(), f"{about(one)}\n{report.generate_report()}"
    strange = {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "hi", "zz": 1}]}]}
    assert ParamValidator().validate(strange, service.operation_model("Converse").input_shape).has_errors()
