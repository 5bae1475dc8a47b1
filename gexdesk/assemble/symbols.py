"""Make what is expected of each symbol, and when, from the configuration."""

from collections.abc import Mapping

from gexdesk.engine.ledger import Ledger
from gexdesk.engine.levers.targets import Target
from gexdesk.engine.ownership import units_of
from gexdesk.engine.schedules import Schedule
from gexdesk.engine.symbols import Plan, Symbols
from gexdesk.gates.agree import Tolerances
from gexdesk.gates.facts import Limits
from gexdesk.model.daytime import WEEKDAYS, DaySpan, days_since_1970, read_time
from gexdesk.model.decision import Bound
from gexdesk.settings.desk import Settings
from gexdesk.settings.symbols import SymbolSettings


def schedules_of(settings: Settings) -> list[Schedule]:
    """Return the overrides with a calendar."""
    sources = {source.name for source in settings.sources}
    return [
        Schedule(
            name=one.name,
            target=Target("source" if one.target in sources else "symbol", one.target),
            level=one.level,
            bound=Bound(one.bound.replace("_", " ")),
            reason=one.reason,
            span=DaySpan(read_time(one.begins), read_time(one.to)),
            weekdays=frozenset(WEEKDAYS.index(day) for day in one.days if day in WEEKDAYS),
            dates=frozenset(days_since_1970(day) for day in one.days if day not in WEEKDAYS),
            trading_days=one.trading_days,
        )
        for one in settings.schedules
    ]


def symbols_of(settings: Settings, ledger: Ledger) -> Symbols:
    """Return every symbol that the configuration or a live source names, in that order; the first one stands as configured."""
    named = {symbol.name: symbol for symbol in settings.symbols}
    owner = {alias: symbol.name for symbol in settings.symbols for alias in symbol.aliases}
    live = [source for source in settings.sources if source.level and source.data_type != "historical"]
    carried = dict.fromkeys(owner.get(symbol, symbol) for source in live for symbol in source.symbols)
    plans = []
    for name in dict.fromkeys((*named, *carried)):
        symbol = named.get(name) or SymbolSettings(name=name)
        plans.append(
            Plan(
                name=name,
                expected=True,
                session=symbol.session,
                readers=symbol.readers,
                serving=symbol.serving or "",
                standby=symbol.standby or "",
                aliases=symbol.aliases,
                failover_after_s=symbol.failover_after_s,
                fail_back_after_s=symbol.fail_back_after_s,
                history=symbol.history,
                limits=Limits(**symbol.gates.model_dump(exclude_none=True)),
                tolerances=Tolerances(**symbol.compare.model_dump(exclude_none=True)),
            )
        )
    return Symbols(plans, ledger)


def source_units(settings: Settings, aliases: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the sources that one engine has to run together."""
    return units_of({s.name: [aliases.get(symbol, symbol) for symbol in s.symbols] for s in settings.sources if s.level})
