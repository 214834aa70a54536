"""Reranking through the `cohere` client, both of its versions."""

from __future__ import annotations

import cohere
import pytest

DOCUMENTS = ["a dog", "the red fox", "a fox"]


@pytest.fixture
def co(gateway):
    return cohere.ClientV2(api_key="any", base_url=gateway.url)


def answered(*results: tuple[int, float], **more) -> dict:
    meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}
    return {"id": "rank-1", "results": [{"index": at, "relevance_score": score} for at, score in results], "meta": meta, **more}


def test_what_goes_through(co, gateway, upstream):
    upstream.reply(answered((1, 0.9), (2, 0.4), new=True))
    raw = co.with_raw_response.rerank(model="order-cohere", query="red fox", documents=DOCUMENTS, top_n=2)
    answer = raw.data
    assert [(item.index, item.relevance_score) for item in answer.results] == [(1, 0.9), (2, 0.4)]
    assert (answer.id, answer.meta.billed_units.search_units) == ("rank-1", 1)
    assert upstream.only.path == "/v2/rerank"
    assert upstream.only.json == {"model": "rerank-v3.5", "query": "red fox", "documents": DOCUMENTS, "top_n": 2}
    row = gateway.row(raw.headers["x-sabir-inference-id"])
    assert (row["operation"], row["status"]) == ("rerank", "ok")


@pytest.mark.parametrize("model", ["order-voyage", "order-jina"])
def test_other_providers(co, upstream, model):
    results = [{"index": 1, "relevance_score": 0.9}]
    members = {"data": results} if model == "order-voyage" else {"results": results}
    upstream.reply({"object": "list", "model": "m", "usage": {"total_tokens": 9}, **members})
    answer = co.rerank(model=model, query="red fox", documents=DOCUMENTS, top_n=1)
    assert [(item.index, item.relevance_score) for item in answer.results] == [(1, 0.9)]
    assert answer.meta.tokens.input_tokens == 9


def test_the_dummy(co):
    answer = co.rerank(model="dummy::any", query="red fox", documents=DOCUMENTS)
    assert [item.index for item in answer.results] == [1, 2, 0]


def test_the_first_version(gateway):
    client = cohere.Client(api_key="any", base_url=gateway.url)
    answer = client.rerank(model="dummy::any", query="red fox", documents=DOCUMENTS, return_documents=True, top_n=1)
    assert (answer.results[0].index, answer.results[0].document.text) == (1, "the red fox")


def test_errors(co, upstream):
    with pytest.raises(cohere.NotFoundError, match="nothing"):
        co.rerank(model="nothing", query="q", documents=DOCUMENTS)
    upstream.reply({"message": "too many documents"}, 400)
    with pytest.raises(cohere.BadRequestError, match="too many documents"):
        co.rerank(model="order-cohere", query="q", documents=DOCUMENTS)
