"""OpenAI's OpenAPI document, as something that requests are held against and made from.

Invariant: a request that the document does not describe is an error by name, never let through.
"""

from __future__ import annotations

import email.parser
import email.policy
import json
import re
from urllib.parse import parse_qsl, urlsplit

import jsonschema
import yaml
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

# The one name of the whole document.
URN = "urn:openai"
METHODS = ("get", "post", "put", "patch", "delete")


class Operation:
    def __init__(self, document: Document, method: str, path: str, said: dict, shared: list) -> None:
        self.document, self.method, self.path, self.said = document, method, path, said
        self.parameters = [document.resolve(one) for one in [*shared, *said.get("parameters", [])]]
        self.content = document.resolve(said.get("requestBody", {})).get("content", {})
        # Some operations differ from another one by a query that is always there.
        path, _, fixed = path.partition("?")
        self.fixed = dict(parse_qsl(fixed))
        self.parameters += [{"name": name, "in": "query", "required": True} for name in self.fixed]
        parts = [re.escape(part) if not part.startswith("{") else "[^/]+" for part in path.split("/")]
        self.pattern = re.compile("/".join(parts) + "$")

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"

    def schema(self, kind: str) -> dict:
        place = "/".join(["paths", self.path.replace("~", "~0").replace("/", "~1"), self.method])
        if "$ref" in self.said.get("requestBody", {}):
            return self.content[kind]["schema"]
        return {"$ref": f"{URN}#/{place}/requestBody/content/{kind.replace('/', '~1')}/schema"}


class Document:
    def __init__(self, text: str) -> None:
        self.all = numbers(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        resource = Resource.from_contents(self.all, default_specification=DRAFT202012)
        self.registry = Registry().with_resource(URN, resource)
        self.operations = [
            Operation(self, method, path, item[method], item.get("parameters", []))
            for path, item in self.all["paths"].items()
            for method in METHODS
            if method in item
        ]
        # `/files/{id}` would take `/files/search` too: the one with more words of its own comes first.
        self.operations.sort(key=lambda one: (one.path.count("{"), -len(one.fixed)))

    def resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            place = self.all
            for step in node["$ref"].split("#/")[1].split("/"):
                place = place[step.replace("~1", "/").replace("~0", "~")]
            node = place
        return node

    def validator(self, schema: dict) -> jsonschema.Draft202012Validator:
        return jsonschema.Draft202012Validator(schema, registry=self.registry)

    def find(self, method: str, path: str, query: str = "") -> Operation | None:
        given = dict(parse_qsl(query)).items()
        fits = (
            one
            for one in self.operations
            if one.method == method.lower() and one.pattern.match(path) and one.fixed.items() <= given
        )
        return next(fits, None)

    def wrong(self, method: str, target: str, headers: dict[str, str], body: bytes) -> list[str]:
        """What is wrong with a request below the version."""
        where = urlsplit(target)
        operation = self.find(method, where.path, where.query)
        if operation is None:
            return [f"the document has no {method} {where.path}"]
        return [f"{operation}: {what}" for what in [*query(operation, where.query), *content(operation, headers, body)]]


def numbers(node):
    """Bounds as numbers: YAML 1.1 takes `1e18` for a text."""
    for name, value in node.items() if isinstance(node, dict) else enumerate(node):
        if name in ("minimum", "maximum") and isinstance(value, str):
            node[name] = float(value)
        elif isinstance(value, (dict, list)):
            numbers(value)
    return node


def query(operation: Operation, text: str) -> list[str]:
    given = {re.split(r"\[", name)[0] for name, _ in parse_qsl(text, keep_blank_values=True)}
    known = {one["name"].removesuffix("[]"): one for one in operation.parameters if one["in"] == "query"}
    wrong = [f"the query has `{name}`, which nobody knows" for name in given - known.keys()]
    wrong += [f"the query lacks `{name}`" for name, one in known.items() if one.get("required") and name not in given]
    return wrong


def content(operation: Operation, headers: dict[str, str], body: bytes) -> list[str]:
    kind = headers.get("content-type", "").split(";")[0].strip().lower()
    if not operation.content:
        return ["a body that nobody wants"] if body not in (b"", b"{}") else []
    if not body and not operation.document.resolve(operation.said["requestBody"]).get("required"):
        return []
    if kind not in operation.content:
        return [f"content type `{kind}`, wanted {sorted(operation.content)}"]
    schema = operation.schema(kind)
    if kind == "multipart/form-data":
        return form(operation, schema, headers["content-type"], body)
    if kind != "application/json":
        return []
    try:
        said = json.loads(body)
    except ValueError as error:
        return [f"no JSON: {error}"]
    return [best(error) for error in operation.document.validator(schema).iter_errors(said)]


def best(error) -> str:
    """The error that says most, among those of the variants."""
    error = jsonschema.exceptions.best_match([error])
    return f"{error.json_path}: {error.message[:400]}"


def form(operation: Operation, schema: dict, kind: str, body: bytes) -> list[str]:
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    message = parser.parsebytes(b"content-type: " + kind.encode() + b"\r\n\r\n" + body)
    names = {part.get_param("name", header="content-disposition").split("[")[0] for part in message.iter_parts()}
    known, required = members(operation.document, operation.content["multipart/form-data"]["schema"])
    return [f"the form has `{name}`, which nobody knows" for name in names - known] + [
        f"the form lacks `{name}`" for name in required - names
    ]


def members(document: Document, schema: dict) -> tuple[set[str], set[str]]:
    schema = document.resolve(schema)
    known, required = set(schema.get("properties", {})), set(schema.get("required", []))
    for part in schema.get("allOf", []):
        more, needed = members(document, part)
        known, required = known | more, required | needed
    return known, required


def make(document: Document, schema, whole: bool, depth: int = 0):
    """Something that a schema describes: as little as may be, or every member that there is."""
    schema = document.resolve(schema)
    if schema is True or not schema:
        return "anything"
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return next(one for one in schema["enum"] if one is not None)
    for name in ("oneOf", "anyOf"):
        if name in schema:
            variants = [document.resolve(one) for one in schema[name]]
            # Members beside the variants belong to each of them; a variant may only say what is required.
            beside = {key: value for key, value in schema.items() if key not in ("oneOf", "anyOf", "discriminator")}
            variants = [one for one in variants if one.get("type") != "null"]
            chosen = variants[0] if variants else schema[name][0]
            if "properties" in beside or "allOf" in beside:
                chosen = {"allOf": [beside, chosen]}
            return make(document, chosen, whole, depth)
    if "allOf" in schema:
        return make(document, merged(document, schema), whole, depth)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next(one for one in kind if one != "null")
    if kind == "object" or "properties" in schema:
        wanted = schema.get("properties", {})
        if not whole or depth > 3:
            wanted = {name: wanted.get(name, {}) for name in schema.get("required", [])}
        made = {name: make(document, one, whole, depth + 1) for name, one in wanted.items()}
        return made or ({"k": make(document, schema["additionalProperties"], whole, depth + 1)}
                        if isinstance(schema.get("additionalProperties"), dict) and schema.get("minProperties") else made)
    if kind == "array":
        count = max(schema.get("minItems", 0), 1 if whole and depth < 3 else 0)
        return [make(document, schema.get("items", {}), whole, depth + 1) for _ in range(count)]
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + (1 if "exclusiveMinimum" in schema else 0))
        return low if kind == "number" else int(low)
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    return text(schema)


def text(schema: dict) -> str:
    if "pattern" in schema:
        for one in ("x", "exec_1", "x@example.com", "0" * 64, "org/model", "a.example.com", "2026-01-01", "/workspace/x"):
            if re.search(schema["pattern"], one):
                return one
    return "x" * max(schema.get("minLength", 1), 1)


def merged(document: Document, schema: dict) -> dict:
    out: dict = {"type": "object", "properties": {}, "required": []}
    for part in [*schema["allOf"], {key: value for key, value in schema.items() if key != "allOf"}]:
        part = document.resolve(part)
        if "allOf" in part:
            part = merged(document, part)
        for variant in ("oneOf", "anyOf"):
            if variant in part and "properties" not in part:
                chosen = document.resolve(part[variant][0])
                part = merged(document, chosen) if "allOf" in chosen else chosen
        for name, value in part.items():
            if name == "properties":
                out["properties"] |= value
            elif name == "required":
                out["required"] += value
            elif name not in ("description", "title", "nullable"):
                out[name] = value
    return out
