"""The desk that ingests gamma-exposure feeds by priority. The way of the data, one direction:

    sources -> receive -> triage -> guidelines -> queue -> claim -> process -> publish -> keep
    bytes in   spooled,   decoded   features to   durable   one per   exposures,  live      DuckDB,
               synced,    once      a decision    order     slot      levels      cache     Parquet
               acked                                                              = available

    engine -> DeskView (frozen, 4 Hz) -> screen          screen -> Lever (one value) -> engine

This module imports nothing, so that ``--help`` and the first paint stay fast. The map is ``gexdesk/README.md``.
"""

__version__ = "0.1.0"
