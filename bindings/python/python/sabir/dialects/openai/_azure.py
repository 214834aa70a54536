"""The clients for Azure: other addresses, another way to say who calls."""

from __future__ import annotations

import os
from typing import Any, Awaitable, Callable, Dict, Mapping, Optional, Union
from urllib.parse import quote

from ..._resources.encode import NOT_GIVEN
from ..._resources.request import Request
from ._client import DEFAULT_MAX_RETRIES, AsyncOpenAI, BaseClient, OpenAI
from ._errors import MutuallyExclusiveAuthError, OpenAIError

#: Calls of a model, which is part of the address.
_DEPLOYED = {
    "/audio/speech",
    "/audio/transcriptions",
    "/audio/translations",
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/images/edits",
    "/images/generations",
}

TokenProvider = Callable[[], Union[str, Awaitable[str]]]


class _Azure(BaseClient):
    def __init__(
        self,
        *,
        azure_endpoint: Optional[str] = None,
        azure_deployment: Optional[str] = None,
        api_version: Optional[str] = None,
        api_key: Any = None,
        azure_ad_token: Optional[str] = None,
        azure_ad_token_provider: Optional[TokenProvider] = None,
        organization: Optional[str] = None,
        project: Optional[str] = None,
        webhook_secret: Optional[str] = None,
        base_url: Optional[str] = None,
        timeout: Any = NOT_GIVEN,
        max_retries: int = DEFAULT_MAX_RETRIES,
        default_headers: Optional[Mapping[str, Any]] = None,
        default_query: Optional[Mapping[str, Any]] = None,
        http_client: Any = None,
        _strict_response_validation: bool = False,
    ) -> None:
        given = [told for told in (api_key, azure_ad_token, azure_ad_token_provider) if told is not None]
        if len(given) > 1:
            raise MutuallyExclusiveAuthError
        if not given:
            # What is said wins over the environment, and there a token over a key.
            azure_ad_token = os.environ.get("AZURE_OPENAI_AD_TOKEN")
            if azure_ad_token is None:
                api_key = os.environ.get("AZURE_OPENAI_API_KEY")
        if api_key is None and azure_ad_token is None and azure_ad_token_provider is None:
            raise OpenAIError(
                "Missing credentials. Please pass one of `api_key`, `azure_ad_token`, `azure_ad_token_provider`, or the "
                "`AZURE_OPENAI_API_KEY` or `AZURE_OPENAI_AD_TOKEN` environment variables."
            )
        version = api_version if api_version is not None else os.environ.get("OPENAI_API_VERSION")
        if version is None:
            raise ValueError(
                "Must provide either the `api_version` argument or the `OPENAI_API_VERSION` environment variable"
            )
        endpoint: Optional[str] = None
        if base_url is None:
            endpoint = azure_endpoint if azure_endpoint is not None else os.environ.get("AZURE_OPENAI_ENDPOINT")
            if endpoint is None:
                raise ValueError(
                    "Must provide one of the `base_url` or `azure_endpoint` arguments, or the `AZURE_OPENAI_ENDPOINT` "
                    "environment variable"
                )
            base_url = endpoint.rstrip("/") + "/openai"
            if azure_deployment is not None:
                base_url += f"/deployments/{quote(azure_deployment, safe='')}"
        elif azure_endpoint is not None:
            raise ValueError("base_url and azure_endpoint are mutually exclusive")
        self._azure_endpoint = endpoint
        self._azure_deployment = azure_deployment if endpoint is not None else None
        self._azure_ad_token = azure_ad_token
        self._azure_ad_token_provider = azure_ad_token_provider
        self._azure_key = api_key
        self._api_version = version
        super().__init__(
            # Whoever has a token needs no key.
            api_key=api_key if api_key is not None else "",
            organization=organization,
            project=project,
            webhook_secret=webhook_secret,
            base_url=base_url,
            timeout=timeout,
            max_retries=max_retries,
            default_headers=default_headers,
            default_query={"api-version": version, **(default_query or {})},
            http_client=http_client,
        )

    def _options(self) -> Dict[str, Any]:
        options = super()._options()
        del options["admin_api_key"]
        options.update(
            api_key=self._azure_key,
            api_version=self._api_version,
            azure_ad_token=self._azure_ad_token,
            azure_ad_token_provider=self._azure_ad_token_provider,
        )
        if self._azure_endpoint is not None:
            del options["base_url"]
            options.update(azure_endpoint=self._azure_endpoint, azure_deployment=self._azure_deployment)
        return options

    def _root(self, base: str, request: Request) -> str:
        if self._azure_deployment is not None and not self._is_deployed(request):
            # Only calls of a model are below a deployment.
            return base.partition("/deployments/")[0]
        return base

    @staticmethod
    def _is_deployed(request: Request) -> bool:
        path = request.path
        return path in _DEPLOYED or path.startswith("/deployments/")

    def _prepared(self, request: Request) -> Request:
        body = request.body
        if request.path in _DEPLOYED and isinstance(body, Mapping) and "/deployments" not in self._base.path:
            model = body.get("model")
            if isinstance(model, str) and model:
                request.path = f"/deployments/{quote(model, safe='')}{request.path}"
        return request

    @property
    def auth_headers(self) -> Dict[str, str]:
        """What says who calls, if that is no function's to say."""
        if self._azure_ad_token:
            return {"Authorization": f"Bearer {self._azure_ad_token}"}
        return {"api-key": self.api_key} if self.api_key else {}

    async def _auth(self, runner: Any, request: Request) -> Dict[str, str]:
        if self._azure_ad_token is not None:
            return {"Authorization": f"Bearer {self._azure_ad_token}"}
        if self._azure_ad_token_provider is not None:
            token = await runner.resolved(self._azure_ad_token_provider())
            if not isinstance(token, str) or not token:
                raise ValueError(
                    f"Expected `azure_ad_token_provider` argument to return a string but it returned {token!r}"
                )
            return {"Authorization": f"Bearer {token}"}
        key: Any = self._azure_key
        if callable(key):
            key = await runner.resolved(key())
        return {"api-key": key}


class AzureOpenAI(_Azure, OpenAI):
    """A client of Azure's for threads."""


class AsyncAzureOpenAI(_Azure, AsyncOpenAI):
    """A client of Azure's for event loops."""
