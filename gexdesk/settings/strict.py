"""What every table of the configuration is: strict and frozen."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Refuse keys nobody knows and numbers that are none; nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
