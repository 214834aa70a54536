"""The table of calls of Sabir's Python package, held against the methods of the `openai` client.

The table is read from the sources: it needs neither the package nor a gateway.

Invariant: a method that this client has is one that Sabir's has, or one that is named here with a reason.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import types
from pathlib import Path

import openai
import pytest
from openai._resource import SyncAPIResource

pytestmark = pytest.mark.openai

SOURCES = Path(__file__).parents[2] / "bindings" / "python" / "python" / "sabir" / "_resources"
OLD = openai.__version__.startswith("1.")
OWN = {"with_raw_response", "with_streaming_response"}
# Helpers of OpenAI's own product for agents, which no gateway stands in front of.
LEFT_OUT = {
    "beta.agents.environments.files.prepare",
    "beta.agents.environments.files.prepare_directory",
    "beta.agents.environments.files.upload",
    "beta.agents.sessions.artifacts.for_result",
    "beta.agents.sessions.stream",
}


@pytest.fixture(scope="module")
def table():
    package = types.ModuleType("table_of_calls")
    package.__path__ = [str(SOURCES)]
    sys.modules[package.__name__] = package
    return importlib.import_module("table_of_calls.table").table()


@pytest.fixture(scope="module")
def methods():
    client = openai.OpenAI(api_key="k", **({} if OLD else {"admin_api_key": "k"}))
    found = {}

    def walk(resource, path):
        for name in dir(resource):
            if name.startswith("_") or name in OWN:
                continue
            member = getattr(resource, name)
            if isinstance(member, SyncAPIResource):
                walk(member, f"{path}{name}.")
            elif inspect.ismethod(member):
                found[f"{path}{name}"] = member

    for name in dir(client):
        if not name.startswith("_") and isinstance(getattr(client, name, None), SyncAPIResource):
            walk(getattr(client, name), f"{name}.")
    return found


def placed(table, name):
    """Where the table has a method, which may be known by another name."""
    resource, _, call = name.rpartition(".")
    return f"{table.found(resource)}.{call}"


def test_every_method_is_there(table, methods):
    calls, helpers = table.names(), (SOURCES / "helpers.py").read_text()
    missing = {
        name for name in methods if placed(table, name) not in calls and f'"{placed(table, name)}"' not in helpers
    }
    assert len(methods) > (80 if OLD else 400)
    assert missing - LEFT_OUT == set()
    assert OLD or LEFT_OUT <= missing, "what is not missing any more is not left out"


def test_every_call_takes_the_same_arguments(table, methods):
    """What has to be said has to be said to both; what is part of the path is so for both."""
    for name, method in methods.items():
        where = placed(table, name)
        resource, _, call = where.rpartition(".")
        row = table.rows(resource).get(call)
        if row is None:
            continue
        parameters = inspect.signature(method).parameters
        for parameter in row.parameters:
            # The older client has names of its own for two of them.
            assert OLD or parameter in parameters, f"{name}: {parameter}"
        by_position = [p.name for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        assert OLD or by_position == list(row.parameters[-1:]), name
        assert OLD or set(row.needs) <= set(parameters), name
