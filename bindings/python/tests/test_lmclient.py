"""LMClient's names: what its documents do not show."""

from __future__ import annotations

from typing import Any, Callable, Iterator, List, Tuple

import pytest
from upstream import Upstream

import sabir
from sabir.dialects import lmclient


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    """A provider that all models of LMClient are at."""
    upstream = Upstream()
    monkeypatch.delenv("SABIR_BASE_URL", raising=False)
    for name in ["OPENAI", "AZURE", "MINIMAX", "WENXIN", "ZHIPU", "HUNYUAN", "BAICHUAN"]:
        monkeypatch.setenv(f"{name}_API_BASE", f"{upstream.url}/v1")
        monkeypatch.setenv(f"{'QIANFAN' if name == 'WENXIN' else name}_API_KEY", f"{name.lower()}-key")
    yield upstream
    upstream.close()


MODELS: List[Any] = [
    (lmclient.OpenAIChat, "openai/gpt-3.5-turbo", "gpt-3.5-turbo", "openai-key"),
    (lmclient.MinimaxChat, "minimax/abab5.5-chat", "MiniMax-M2.5", "minimax-key"),
    (lmclient.MinimaxProChat, "minimax_pro/abab5.5-chat", "MiniMax-M2.5", "minimax-key"),
    (lmclient.WenxinChat, "wenxin/ERNIE-Bot", "ernie-3.5-8k", "wenxin-key"),
    (lmclient.ZhiPuChat, "zhipu/chatglm_turbo", "glm-4.7", "zhipu-key"),
    (lmclient.ZhipuCharacterChat, "zhipu-character/characterglm", "charglm-4", "zhipu-key"),
    (lmclient.HunyuanChat, "hunyuan/v1", "hy3-preview", "hunyuan-key"),
    (lmclient.BaichuanChat, "zhipu/Baichuan2-53B", "Baichuan4-Turbo", "baichuan-key"),
]


@pytest.mark.parametrize(("kind", "model_id", "name", "key"), MODELS)
def test_each_model_calls_its_provider(upstream: Upstream, kind: Any, model_id: str, name: str, key: str) -> None:
    model = kind()
    assert (model.model_id, model.chat_completion("hi").reply) == (model_id, "You said: hi")
    assert upstream.chats()[0]["model"] == name
    assert upstream.seen[0].headers["authorization"] == f"Bearer {key}"
    assert lmclient.load_from_model_id(model_id).gateway_model == model.gateway_model
    assert [piece.reply for piece in model.stream_completion("hi")][-1] == "You said: hi"


def test_azure_has_deployments(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyError, match="AZURE_CHAT_API_ENGINE"):
        lmclient.AzureChat()
    monkeypatch.setenv("AZURE_CHAT_API_ENGINE", "mine")
    monkeypatch.setenv("AZURE_API_BASE", upstream.url)
    monkeypatch.setenv("AZURE_API_VERSION", "2024-06-01")
    model = lmclient.AzureChat()
    assert (model.model_id, model.chat_completion("hi").reply) == ("azure/mine", "You said: hi")
    assert upstream.seen[0].path == "/openai/deployments/mine/chat/completions"
    assert upstream.seen[0].query == "api-version=2024-06-01"
    assert upstream.seen[0].headers["api-key"] == "azure-key"


def test_a_key_of_its_own(upstream: Upstream) -> None:
    model = lmclient.OpenAIChat("gpt-4", api_key="own", retry=lmclient.RetryStrategy(max_attempt=2))
    upstream.failures = [503]
    assert model.chat_completion("hi").reply == "You said: hi"
    assert [request.headers["authorization"] for request in upstream.seen] == ["Bearer own"] * 2
    upstream.failures = [503]
    with pytest.raises(sabir.InternalServerError):
        lmclient.OpenAIChat().chat_completion("hi")


def test_parameters_have_their_bounds(upstream: Upstream) -> None:
    for kind in [lmclient.MinimaxChat, lmclient.WenxinChat]:
        kind().chat_completion("hi", temperature=0, top_p=0)
    lmclient.WenxinChat().chat_completion("hi", system="Be brief.", user_id="u")
    first, second, third = upstream.chats()
    assert (first["temperature"], first["top_p"]) == (0.01, 0.01)
    assert (second["temperature"], second["top_p"]) == (0.01, 0)
    assert third["messages"][0] == {"role": "system", "content": "Be brief."} and third["user"] == "u"
    lmclient.OpenAIChat(parameters=lmclient.GeneralParameters(temperature=0.5)).chat_completion("hi", temperature=2)
    assert upstream.chats()[-1]["temperature"] == 2
    seen = len(upstream.seen)
    cases: List[Tuple[Callable[[], Any], str]] = [
        (lambda: lmclient.ZhiPuChat().chat_completion("hi", temperature=1.5), "expected a number from 0 to 1"),
        (lambda: lmclient.GeneralParameters(top_p=2), "expected a number from 0 to 1"),
        (lambda: lmclient.BaichuanChat().chat_completion("hi", with_search_enhance=True), "is gone: the tool"),
    ]
    for ask, message in cases:
        with pytest.raises(lmclient.ValidationError, match=message):
            ask()
    with pytest.raises(sabir.RequestError, match="group_id: is of no use any more"):
        lmclient.MinimaxChat(group_id="1")
    with pytest.raises(KeyError):
        lmclient.load_from_model_id("nobody/x")
    assert len(upstream.seen) == seen


def test_calls_are_messages_contents(upstream: Upstream, capsys: pytest.CaptureFixture[str]) -> None:
    @lmclient.function
    def get_weather(city: str) -> str:
        """Get weather of the city."""
        return f"{city}: sunny"

    bot = lmclient.ChatEngine.from_model_id("openai", functions=[get_weather])
    assert bot.chat("Oslo") == 'The result: "Oslo: sunny"'
    assert bot.history[1:3] == [
        {"role": "assistant", "content": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}},
        {"role": "function", "name": "get_weather", "content": '"Oslo: sunny"'},
    ]
    assert [output.reply for output in bot.model_ouptuts] == ["", 'The result: "Oslo: sunny"']
    assert bot.chat_model.chat_completion(bot.history[:3]).reply == 'The result: "Oslo: sunny"'
    sent = upstream.chats()[-1]["messages"]
    assert sent[1]["tool_calls"][0]["function"]["name"] == "get_weather"
    assert sent[1]["tool_calls"][0]["id"] == sent[2]["tool_call_id"]
    assert "Function call: get_weather\nArguments: " in capsys.readouterr().out
    engine = lmclient.CompletionEngine("openai", error_mode=lmclient.ErrorMode.IGNORE)
    assert [output.reply for output in engine.run(["a"])] == ["You said: a"]
