"""Structured output for tests: JSON that fits the schema that a request asks for."""

import json
from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


def fit_format(text: str, response_format: Mapping[str, Any] | None) -> str:
    """The text, where it is of the format that was asked for, else the smallest JSON that is."""
    kind = (response_format or {}).get("type")
    if response_format is None or kind not in ("json_schema", "json_object"):
        return text
    schema = response_format["json_schema"]["schema"] if kind == "json_schema" else _ANY_OBJECT
    try:
        fits = conforms(json.loads(text), schema, schema)
    except ValueError:
        fits = False
    return text if fits else json.dumps(make_instance(schema, schema))


_ANY_OBJECT: Schema = {"type": "object"}


def conforms(value: Any, schema: Schema, root: Schema) -> bool:
    """Whether a value fits a schema, by the keywords that structured outputs know."""
    schema = _resolve(schema, root)
    if "anyOf" in schema:
        return any(conforms(value, option, root) for option in schema["anyOf"])
    if "const" in schema and value != schema["const"]:
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if not any(_TYPES[name](value) for name in _types(schema)):
        return False
    if isinstance(value, dict):
        return _fields_conform(value, schema, root)
    if isinstance(value, list):
        items = schema.get("items", {})
        size_fits = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        return size_fits and all(conforms(item, items, root) for item in value)
    if isinstance(value, int | float):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True


def _fields_conform(value: Mapping[str, Any], schema: Schema, root: Schema) -> bool:
    properties = schema.get("properties", {})
    if schema.get("additionalProperties", True) is False and value.keys() - properties.keys():
        return False
    return set(schema.get("required", ())) <= value.keys() and all(
        conforms(value[name], properties[name], root) for name in value.keys() & properties.keys()
    )


def make_instance(schema: Schema, root: Schema) -> Any:
    """The smallest value that fits a schema."""
    schema = _resolve(schema, root)
    if "anyOf" in schema:
        return make_instance(schema["anyOf"][0], root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    match _types(schema)[0]:
        case "object":
            properties = schema.get("properties", {})
            names = schema.get("required", ())
            return {name: make_instance(properties.get(name, {}), root) for name in names}
        case "array":
            return [make_instance(schema["items"], root) for _ in range(schema.get("minItems", 0))]
        case "integer" | "number":
            return schema.get("minimum", min(0, schema.get("maximum", 0)))
        case "string":
            return ""
        case "boolean":
            return False
    return None


def _types(schema: Schema) -> list[str]:
    """The type or types of a schema; without any it takes all."""
    kinds = schema.get("type", list(_TYPES))
    return [kinds] if isinstance(kinds, str) else list(kinds)


def _resolve(schema: Schema, root: Schema) -> Schema:
    """The definition that a reference such as `#/$defs/turn` names."""
    while "$ref" in schema:
        found: Any = root
        for part in schema["$ref"].split("/")[1:]:
            found = found[part]
        schema = found
    return schema
