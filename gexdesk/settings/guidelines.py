"""The tables of what decides: the rule file, and overrides with a calendar."""

from pathlib import Path
from typing import Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from gexdesk.model.daytime import WEEKDAYS, days_since_1970, read_span, read_time
from gexdesk.model.level import Level
from gexdesk.settings.strict import Strict


class GuidelineSettings(Strict):
    """Say where the guidelines come from and how they may change.

    Attributes:
        file: Rule file; None takes the shipped default set.
        apply_on_save: A good file comes into force when it is saved; else it waits for an operator.
        locked_hours: ``HH:MM-HH:MM``, New York, on trading days: nothing comes into force meanwhile unless it is forced.
        backtest_last: How many of the last decisions a changed set is tried on.
    """

    file: Path | None = None
    apply_on_save: bool = False
    locked_hours: tuple[str, ...] = ()
    backtest_last: int = Field(default=100_000, ge=1, le=1_000_000)

    @field_validator("locked_hours")
    @classmethod
    def _spans(cls, spans: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(read_span(span)) for span in spans)


class ScheduleSettings(Strict):
    """Give a source or symbol a level at certain times of the day, New York.

    Attributes:
        target: Name of a source, else a symbol.
        begins, to: ``from`` and ``to`` in the file, ``HH:MM``; one that ends before it begins runs past midnight.
        days: ``mon`` to ``sun`` and dates, ``YYYY-MM-DD``: those on which it begins.
        trading_days: Only those of them on which the exchange trades.
    """

    model_config = ConfigDict(validate_by_alias=True, validate_by_name=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")
    target: str
    level: Level
    begins: str = Field(alias="from")
    to: str
    days: tuple[str, ...] = WEEKDAYS[:5]
    bound: Literal["exactly", "at_least", "at_most"] = "exactly"
    reason: str = Field(min_length=1, max_length=200)
    trading_days: bool = True

    @field_validator("begins", "to")
    @classmethod
    def _times(cls, text: str) -> str:
        return f"{read_time(text):%H:%M}"

    @field_validator("days", mode="before")
    @classmethod
    def _dates(cls, days: object) -> object:
        return [str(day) for day in days] if isinstance(days, list | tuple) else days

    @field_validator("days")
    @classmethod
    def _days(cls, days: tuple[str, ...]) -> tuple[str, ...]:
        if not days:
            raise ValueError("a schedule needs a day: mon to sun, or dates")
        for day in days:
            if day not in WEEKDAYS:
                days_since_1970(day)
        return days

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.begins == self.to:
            raise ValueError(f"it begins and ends at {self.to}")
        return self
