"""The calls of TensorZero's client, once for both kinds of client.

What differs is how a request is sent: one kind gives the answer, the other what to await for it.
"""

from __future__ import annotations

import json
import warnings
from typing import Any, Callable, Dict, Iterable, Mapping, Optional, Union
from urllib.parse import quote
from uuid import UUID

from ... import _requests
from ..._errors import RequestError
from ..._native import Client, Outcome
from ..._requests import Settings, StrPath
from ...types import Object
from . import _types
from ._errors import TensorZeroError, TensorZeroInternalError, throw
from ._types import plain

#: How long TensorZero's client waits unless it is told otherwise, in seconds.
DEFAULT_TIMEOUT = 900.0

Id = Union[str, UUID]
Parse = Callable[[Any], Any]


class BaseTensorZeroGateway:
    """What both clients can do."""

    def __init__(self, native: Client, timeout: Optional[float]) -> None:
        self._native = native
        # TensorZero's client never tries again: its users have the gateway's retries.
        self._settings = Settings(DEFAULT_TIMEOUT if timeout is None else timeout, 0)

    def inference(
        self,
        *,
        input: Any,
        function_name: Optional[str] = None,
        model_name: Optional[str] = None,
        episode_id: Optional[Id] = None,
        namespace: Optional[str] = None,
        stream: Optional[bool] = None,
        params: Any = None,
        variant_name: Optional[str] = None,
        dryrun: Optional[bool] = None,
        output_schema: Optional[Mapping[str, Any]] = None,
        allowed_tools: Optional[Iterable[str]] = None,
        additional_tools: Optional[Iterable[Any]] = None,
        provider_tools: Optional[Iterable[Any]] = None,
        tool_choice: Any = None,
        parallel_tool_calls: Optional[bool] = None,
        internal: Optional[bool] = None,
        tags: Optional[Mapping[str, str]] = None,
        credentials: Optional[Mapping[str, str]] = None,
        cache_options: Optional[Mapping[str, Any]] = None,
        extra_body: Optional[Iterable[Any]] = None,
        extra_headers: Optional[Iterable[Any]] = None,
        otlp_traces_extra_headers: Optional[Mapping[str, str]] = None,
        otlp_traces_extra_attributes: Optional[Mapping[str, Any]] = None,
        otlp_traces_extra_resources: Optional[Mapping[str, str]] = None,
        include_original_response: Optional[bool] = None,
        include_raw_response: Optional[bool] = None,
        include_raw_usage: Optional[bool] = None,
        include_aggregated_response: Optional[bool] = None,
        internal_dynamic_variant_config: Optional[Mapping[str, Any]] = None,
        gateway_http_headers: Optional[Mapping[str, str]] = None,
    ) -> Any:
        """Calls a model or a function: a whole answer, or its pieces with `stream=True`."""
        members = {
            "function_name": function_name,
            "model_name": model_name,
            "episode_id": episode_id,
            "namespace": namespace,
            "input": input,
            "stream": stream,
            "params": params,
            "variant_name": variant_name,
            "dryrun": dryrun,
            "output_schema": output_schema,
            "allowed_tools": _listed(allowed_tools),
            "additional_tools": _listed(additional_tools),
            "provider_tools": _listed(provider_tools),
            "tool_choice": tool_choice,
            "parallel_tool_calls": parallel_tool_calls,
            "internal": internal,
            "tags": tags,
            "credentials": credentials,
            "cache_options": cache_options,
            "extra_body": _listed(extra_body),
            "extra_headers": _listed(extra_headers),
            "include_original_response": include_original_response,
            "include_raw_response": include_raw_response,
            "include_raw_usage": include_raw_usage,
            "include_aggregated_response": include_aggregated_response,
            "internal_dynamic_variant_config": internal_dynamic_variant_config,
        }
        headers: Dict[str, str] = {}
        for word, values in [
            ("header", otlp_traces_extra_headers),
            ("attribute", otlp_traces_extra_attributes),
            ("resource", otlp_traces_extra_resources),
        ]:
            for name, value in (values or {}).items():
                text = json.dumps(value) if word == "attribute" else value
                headers[f"tensorzero-otlp-traces-extra-{word}-{name}"] = text
        headers.update(gateway_http_headers or {})
        return self._send("POST", "/inference", members, _types.parse_response, bool(stream), headers)

    def feedback(
        self,
        *,
        metric_name: str,
        value: Any,
        inference_id: Optional[Id] = None,
        episode_id: Optional[Id] = None,
        dryrun: Optional[bool] = None,
        internal: Optional[bool] = None,
        tags: Optional[Mapping[str, str]] = None,
    ) -> Any:
        """Says something about an inference or an episode."""
        members = {
            "metric_name": metric_name,
            "value": value,
            "inference_id": inference_id,
            "episode_id": episode_id,
            "dryrun": dryrun,
            "internal": internal,
            "tags": tags,
        }
        return self._send("POST", "/feedback", members, _types.parse_feedback)

    def list_inferences(self, *, request: Any) -> Any:
        """Finds inferences in the ledger."""
        return self._send("POST", "/v1/inferences/list_inferences", request, _types.parse_inferences)

    def get_inferences(
        self, *, ids: Iterable[Id], function_name: Optional[str] = None, output_source: str = "inference"
    ) -> Any:
        """The inferences with these ids."""
        members = {"ids": list(ids), "function_name": function_name, "output_source": output_source}
        return self._send("POST", "/v1/inferences/get_inferences", members, _types.parse_inferences)

    def workflow_evaluation_run(
        self,
        *,
        variants: Mapping[str, str],
        tags: Optional[Mapping[str, str]] = None,
        project_name: Optional[str] = None,
        display_name: Optional[str] = None,
    ) -> Any:
        """Begins a run of a workflow evaluation."""
        members = {"variants": variants, "tags": tags, "project_name": project_name, "display_name": display_name}
        return self._send("POST", "/workflow_evaluation_run", members, _types.parse_run)

    def workflow_evaluation_run_episode(
        self, *, run_id: Id, task_name: Optional[str] = None, tags: Optional[Mapping[str, str]] = None
    ) -> Any:
        """Begins an episode of such a run."""
        path = f"/workflow_evaluation_run/{_segment(run_id)}/episode"
        return self._send("POST", path, {"task_name": task_name, "tags": tags}, _types.parse_episode)

    def create_datapoints(self, *, dataset_name: str, requests: Iterable[Any]) -> Any:
        """Adds datapoints to a dataset."""
        return self._dataset("POST", dataset_name, "/datapoints", {"datapoints": list(requests)})

    def update_datapoints(self, *, dataset_name: str, requests: Iterable[Any]) -> Any:
        """Replaces datapoints of a dataset."""
        return self._dataset("PATCH", dataset_name, "/datapoints", {"datapoints": list(requests)})

    def update_datapoints_metadata(self, *, dataset_name: str, requests: Iterable[Any]) -> Any:
        """Changes what is said about datapoints."""
        return self._dataset("PATCH", dataset_name, "/datapoints/metadata", {"datapoints": list(requests)})

    def list_datapoints(self, *, dataset_name: str, request: Any) -> Any:
        """Finds datapoints of a dataset."""
        return self._dataset("POST", dataset_name, "/list_datapoints", request)

    def get_datapoints(self, *, ids: Iterable[Id], dataset_name: Optional[str] = None) -> Any:
        """The datapoints with these ids."""
        members = {"ids": list(ids)}
        if dataset_name is None:
            return self._send("POST", "/v1/datasets/get_datapoints", members, Object)
        return self._dataset("POST", dataset_name, "/get_datapoints", members)

    def delete_datapoints(self, *, dataset_name: str, ids: Iterable[Id]) -> Any:
        """Takes datapoints out of a dataset."""
        return self._dataset("DELETE", dataset_name, "/datapoints", {"ids": list(ids)})

    def delete_dataset(self, *, dataset_name: str) -> Any:
        """Takes all datapoints out of a dataset."""
        return self._dataset("DELETE", dataset_name, "", None)

    def create_datapoints_from_inferences(
        self, *, dataset_name: str, params: Any, output_source: Optional[str] = None
    ) -> Any:
        """Adds inferences of the ledger to a dataset."""
        members = {**plain(params), "output_source": output_source}
        return self._dataset("POST", dataset_name, "/from_inferences", members)

    def _dataset(self, method: str, dataset: str, path: str, members: Any) -> Any:
        return self._send(method, f"/v1/datasets/{_segment(dataset)}{path}", members, Object)

    def _send(
        self,
        method: str,
        path: str,
        members: Any,
        parse: Parse,
        stream: bool = False,
        headers: Optional[Mapping[str, str]] = None,
    ) -> Any:
        body = None
        if members is not None:
            told = plain(members)
            body = _requests.body({name: value for name, value in told.items() if value is not None})
        options = self._settings.options(stream, headers, None, None)
        return self._call(method, path, body, options, parse)

    def _call(
        self, method: str, path: str, body: Optional[bytes], options: Mapping[str, object], parse: Parse
    ) -> Any:
        raise NotImplementedError


def read(outcome: Outcome, parse: Parse) -> Any:
    """The answer, typed."""
    if outcome.kind != "ok":
        throw(outcome)
    try:
        return parse(json.loads(outcome.body or b""))
    except (ValueError, KeyError, TypeError) as error:
        raise TensorZeroInternalError(f"the answer cannot be read: {error!r}") from error


def read_chunk(outcome: Outcome) -> Any:
    """The next piece of a stream; nothing at the end."""
    if outcome.kind == "end":
        return None
    if outcome.kind == "ok":
        body = outcome.body or b""
        if body.startswith(b'{"error"'):
            raise TensorZeroError(500, body.decode("utf-8", "replace"))
    return read(outcome, _types.parse_chunk)


def http(gateway_url: str, api_key: Optional[str], timeout: Optional[float]) -> Client:
    """A native client of a gateway at an address; nothing is sent."""
    _timeout(timeout)
    return _requests.http_client(gateway_url, api_key, None, None)


def embedded(
    config_file: Optional[StrPath], ledger: Optional[StrPath], timeout: Optional[float], **databases: Optional[str]
) -> Callable[[], Client]:
    """What makes a native client with a gateway of its own. What has no effect is said at once."""
    _timeout(timeout)
    for name, value in databases.items():
        if value is not None:
            warnings.warn(
                f"{name} has no effect: Sabir needs no database, and keeps calls in the folder that `ledger`"
                " or `gateway.data_dir` names",
                stacklevel=3,
            )
    return lambda: _requests.embedded_client(None, config_file, ledger, None)


def _timeout(timeout: Optional[float]) -> None:
    if timeout is not None and not timeout > 0:
        raise ValueError("timeout: expected seconds, above 0")


def _listed(items: Optional[Iterable[Any]]) -> Any:
    return None if items is None else list(items)


def _segment(name: object) -> str:
    text = str(name)
    if not text:
        raise RequestError("the name is empty")
    return quote(text, safe="")
