"""What every table of the configuration is: strict and frozen."""

from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema

_SCALARS = ("bool", "int", "float")
"""What TOML has types for: a text is none of them, a number is no truth, and 4.0 is no whole number; 4 is a number all the same."""


def _as_written(schema: Any) -> Any:
    if isinstance(schema, list | tuple):
        return type(schema)(map(_as_written, schema))
    if not isinstance(schema, dict):
        return schema
    inside = {name: part if name in ("metadata", "default") else _as_written(part) for name, part in schema.items()}
    return inside | {"strict": True} if schema.get("type") in _SCALARS else inside


class Strict(BaseModel):
    """Refuse keys nobody knows, numbers that are none and texts in their place; nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema with every scalar in it taken as it is written; paths and lists are read from what TOML has."""
        schema: CoreSchema = _as_written(handler(source))
        return schema
