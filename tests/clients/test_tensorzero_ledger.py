"""The `tensorzero` client: what the ledger tells about calls, and feedback on them."""

from __future__ import annotations

import uuid

import pytest
from tensorzero import (
    InferenceFilterAnd,
    InferenceFilterBooleanMetric,
    InferenceFilterDemonstrationFeedback,
    InferenceFilterFloatMetric,
    InferenceFilterNot,
    InferenceFilterOr,
    InferenceFilterTag,
    InferenceFilterTime,
    ListInferencesRequest,
    TensorZeroError,
)
from tensorzero.generated_types import OrderByMetric, OrderByTimestamp

from words import INPUT, TOOL, WALLY, claude_events, error_of

def listed(t0, **query) -> list:
    return t0.list_inferences(request=ListInferencesRequest(**query)).inferences


def ids(inferences) -> list[str]:
    return [str(inference.inference_id) for inference in inferences]


def test_what_is_kept(t0):
    first = t0.inference(
        model_name="dummy::good",
        input={"system": "Be short.", **INPUT},
        params={"chat_completion": {"temperature": 0.5}},
        additional_tools=[TOOL],
        tags={"user": "ada"},
    )
    (kept,) = t0.get_inferences(ids=[str(first.inference_id)]).inferences
    assert kept.type == "chat"
    assert (kept.function_name, kept.variant_name) == ("tensorzero::default", "dummy::good")
    assert (str(kept.inference_id), str(kept.episode_id)) == (str(first.inference_id), str(first.episode_id))
    assert kept.input.system == "Be short."
    assert kept.input.messages[0].role == "user"
    assert kept.input.messages[0].content[0].text == "hi"
    assert kept.output[0].text == first.content[0].text
    assert kept.tags == {"user": "ada"}
    assert kept.inference_params.chat_completion.temperature == 0.5
    assert kept.additional_tools[0].name == "weather"
    assert kept.processing_time_ms is not None


async def test_what_is_kept_async(at0):
    first = await at0.inference(model_name="dummy::good", input=INPUT)
    (kept,) = (await at0.get_inferences(ids=[str(first.inference_id)])).inferences
    assert str(kept.inference_id) == str(first.inference_id)
    kept = (await at0.list_inferences(request=ListInferencesRequest(episode_id=str(first.episode_id)))).inferences
    assert ids(kept) == [str(first.inference_id)]


# Whatever door a call came through, it is told in the same words.
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["gpt", "claude", "dummy::good"])
def test_a_call_through_the_openai_door_is_kept(t0, client, gateway, upstream, model, stream):
    if model == "claude" and stream:
        upstream.stream(*claude_events("Hello", " there."))
    raw = client.chat.completions.with_raw_response.create(
        model=model,
        messages=[{"role": "system", "content": "Be short."}, {"role": "user", "content": "hi"}],
        stream=stream,
        extra_headers={"x-sabir-tags": '{"door":"openai"}'},
    )
    if stream:
        list(raw.parse())
    (kept,) = t0.get_inferences(ids=[raw.headers["x-sabir-inference-id"]]).inferences
    assert kept.input.system == "Be short."
    assert kept.input.messages[0].content[0].text == "hi"
    texts = {"dummy::good": WALLY if stream else kept.output[0].text}
    assert "".join(block.text for block in kept.output) == texts.get(model, "Hello there.")
    assert kept.tags["door"] == "openai"
    assert str(kept.episode_id) == raw.headers["x-sabir-episode-id"]


def test_a_dry_run_leaves_nothing(t0):
    first = t0.inference(model_name="dummy::good", input=INPUT, dryrun=True)
    assert t0.get_inferences(ids=[str(first.inference_id)]).inferences == []


def test_episodes(t0):
    first = t0.inference(model_name="dummy::good", input=INPUT)
    episode = str(first.episode_id)
    second = t0.inference(model_name="dummy::good", input=INPUT, episode_id=episode)
    third = t0.inference(model_name="dummy::good", input=INPUT)
    assert second.episode_id == first.episode_id != third.episode_id
    assert ids(listed(t0, episode_id=episode)) == [str(second.inference_id), str(first.inference_id)]


@pytest.fixture
def five(t0) -> tuple[str, list[str]]:
    """An episode of five inferences, oldest first, tagged with their number."""
    first = t0.inference(model_name="dummy::good", input=INPUT, tags={"n": "0", "parity": "even"})
    made = [str(first.inference_id)]
    for n in range(1, 5):
        tags = {"n": str(n), "parity": "odd" if n % 2 else "even"}
        more = t0.inference(model_name="dummy::good", input=INPUT, episode_id=str(first.episode_id), tags=tags)
        made.append(str(more.inference_id))
    return str(first.episode_id), made


def an_empty_episode(t0) -> str:
    return str(t0.inference(model_name="dummy::good", input=INPUT, dryrun=True).episode_id)


def test_order_and_pages(t0, five):
    episode, made = five
    newest = OrderByTimestamp(direction="descending")
    oldest = OrderByTimestamp(direction="ascending")
    assert ids(listed(t0, episode_id=episode)) == made[::-1]
    assert ids(listed(t0, episode_id=episode, order_by=[newest])) == made[::-1]
    assert ids(listed(t0, episode_id=episode, order_by=[oldest])) == made
    assert ids(listed(t0, episode_id=episode, limit=2)) == made[:-3:-1]
    assert ids(listed(t0, episode_id=episode, limit=2, offset=2)) == [made[2], made[1]]
    assert ids(listed(t0, episode_id=episode, before=made[2])) == [made[1], made[0]]
    assert set(ids(listed(t0, episode_id=episode, after=made[2]))) == {made[4], made[3]}
    assert set(ids(t0.get_inferences(ids=[made[3], made[1]]).inferences)) == {made[3], made[1]}
    assert listed(t0, episode_id=an_empty_episode(t0)) == []


def test_filters(t0, five):
    episode, made = five
    for n in (0, 1, 2):
        t0.feedback(metric_name="rating", value=n / 2, inference_id=made[n])
    t0.feedback(metric_name="solved", value=True, inference_id=made[1])
    t0.feedback(metric_name="solved", value=False, inference_id=made[2])
    t0.feedback(metric_name="demonstration", value="shown", inference_id=made[4])

    def found(filter) -> list[int]:
        return sorted(made.index(id) for id in ids(listed(t0, episode_id=episode, filters=filter)))

    odd = InferenceFilterTag(key="parity", value="odd", comparison_operator="=")
    not_odd = InferenceFilterTag(key="parity", value="odd", comparison_operator="!=")
    high = InferenceFilterFloatMetric(metric_name="rating", value=0.5, comparison_operator=">=")
    solved = InferenceFilterBooleanMetric(metric_name="solved", value=True)
    shown = InferenceFilterDemonstrationFeedback(has_demonstration=True)
    past = InferenceFilterTime(time="2020-01-01T00:00:00Z", comparison_operator=">")
    assert found(odd) == [1, 3]
    assert found(not_odd) == [0, 2, 4]
    assert found(high) == [1, 2]
    assert found(solved) == [1]
    assert found(InferenceFilterBooleanMetric(metric_name="solved", value=False)) == [2]
    assert found(shown) == [4]
    assert found(InferenceFilterDemonstrationFeedback(has_demonstration=False)) == [0, 1, 2, 3]
    assert found(past) == [0, 1, 2, 3, 4]
    assert found(InferenceFilterAnd(children=[odd, high])) == [1]
    assert found(InferenceFilterOr(children=[odd, shown])) == [1, 3, 4]
    assert found(InferenceFilterNot(child=odd)) == [0, 2, 4]
    assert found(InferenceFilterAnd(children=[])) == [0, 1, 2, 3, 4]

    by_rating = OrderByMetric(name="rating", direction="descending")
    ranked = ids(listed(t0, episode_id=episode, filters=high, order_by=[by_rating]))
    assert ranked == [made[2], made[1]]

    (inference,) = listed(t0, episode_id=episode, filters=shown, output_source="demonstration")
    assert inference.output[0].text == "shown"
    assert inference.dispreferred_outputs[0][0].text.startswith("Megumin")


@pytest.mark.parametrize(
    "query",
    [
        {"filters": InferenceFilterFloatMetric(metric_name="not_there", value=1.0, comparison_operator="=")},
        {"before": "0199d1e8-1111-7000-8000-000000000001", "offset": 1},
        {"order_by": [OrderByMetric(name="not_there", direction="ascending")]},
    ],
)
def test_queries_that_mean_nothing(t0, query):
    with pytest.raises(TensorZeroError) as caught:
        listed(t0, **query)
    assert caught.value.status_code in (400, 404)
    assert error_of(caught)


# Feedback


@pytest.fixture
def made(t0):
    return t0.inference(model_name="dummy::good", input=INPUT)


def test_feedback(t0, made):
    inference, episode = {"inference_id": str(made.inference_id)}, {"episode_id": str(made.episode_id)}
    for metric, value, target in [
        ("rating", 0.75, inference),
        ("rating", 1, inference),
        ("solved", True, inference),
        ("happiness", 0.5, episode),
        ("finished", False, episode),
        ("comment", "well done", inference),
        ("comment", "well done", episode),
        ("demonstration", "so it should be", inference),
        ("demonstration", [{"type": "text", "text": "so it should be"}], inference),
    ]:
        given = t0.feedback(metric_name=metric, value=value, tags={"by": "test"}, **target)
        assert uuid.UUID(str(given.feedback_id)).version == 7


async def test_feedback_async(at0):
    made = await at0.inference(model_name="dummy::good", input=INPUT)
    given = await at0.feedback(metric_name="solved", value=True, inference_id=str(made.inference_id))
    assert given.feedback_id


def test_feedback_at_once_after_a_stream(t0):
    chunks = list(t0.inference(model_name="dummy::good", input=INPUT, stream=True))
    assert t0.feedback(metric_name="solved", value=True, inference_id=str(chunks[0].inference_id)).feedback_id


def test_feedback_on_a_call_through_the_openai_door(t0, client):
    completion = client.chat.completions.create(model="dummy::good", messages=INPUT["messages"])
    assert t0.feedback(metric_name="solved", value=True, inference_id=completion._request_id).feedback_id


@pytest.mark.parametrize(
    "metric, value, target, status, part",
    [
        ("rating", "high", "inference", 400, "rating"),
        ("rating", True, "inference", 400, "rating"),
        ("solved", 1.0, "inference", 400, "solved"),
        ("solved", "true", "inference", 400, "solved"),
        ("comment", 7, "inference", 400, "comment"),
        ("rating", 1.0, "episode", 400, "inference"),
        ("happiness", 1.0, "inference", 400, "episode"),
        ("demonstration", "x", "episode", 400, "inference"),
        ("not_there", 1.0, "inference", 404, "Unknown metric: not_there"),
    ],
)
def test_feedback_that_is_refused(t0, made, metric, value, target, status, part):
    ids = {"inference": {"inference_id": str(made.inference_id)}, "episode": {"episode_id": str(made.episode_id)}}
    with pytest.raises(TensorZeroError) as caught:
        t0.feedback(metric_name=metric, value=value, **ids[target])
    assert caught.value.status_code == status
    assert part in error_of(caught)


def test_feedback_on_what_is_not_there(t0, made):
    # A valid id that nothing is kept of.
    nobody = str(t0.inference(model_name="dummy::good", input=INPUT, dryrun=True).inference_id)
    with pytest.raises(TensorZeroError) as caught:
        t0.feedback(metric_name="solved", value=True, inference_id=nobody)
    assert caught.value.status_code in (400, 404)
    assert nobody in error_of(caught)
    with pytest.raises(TensorZeroError) as caught:
        t0.feedback(metric_name="happiness", value=1.0, episode_id=str(made.inference_id))
    assert caught.value.status_code in (400, 404)


def test_feedback_on_two_things_or_none(t0, made):
    for target in [{}, {"inference_id": str(made.inference_id), "episode_id": str(made.episode_id)}]:
        with pytest.raises(TensorZeroError) as caught:
            t0.feedback(metric_name="comment", value="x", **target)
        assert caught.value.status_code == 400


def test_a_dry_run_of_feedback(t0, made):
    given = t0.feedback(metric_name="solved", value=True, inference_id=str(made.inference_id), dryrun=True)
    assert given.feedback_id
    solved = InferenceFilterBooleanMetric(metric_name="solved", value=True)
    assert listed(t0, episode_id=str(made.episode_id), filters=solved) == []
