"""The few numbers that triage needs."""

from msgspec import Struct


class Features(Struct, frozen=True):
    """Describe one payload for the guidelines.

    Attributes:
        symbol: Normalised market symbol of its newest snapshot.
        data_type: ``real_time``, ``snapshot`` or ``historical``.
        volume: Contracts traded; None where neither the format nor anything else carries it.
        open_interest: Open contracts; None likewise.
        volume_from: Where volume and open interest come from: ``payload``, ``chain`` (the symbol's latest chain of any
            source), ``assumed`` (configuration) or ``none``.
        gamma_change: abs(net - previous net) / previous gross, a fraction; None without a previous snapshot of the same
            source in this session.
        data_age_s: now - as_of + the source's delay; negative where the stamp lies in the future.
        clock_skew: The stamp is more than 2 s in the future: fresh at best.
        source_reliability: Successful / total requests of the source, 0 to 1.
        coverage: Share of contracts with usable IV and open interest; None where the format has no contracts.
        session: New York's at the moment of the decision: ``pre``, ``regular``, ``post`` or ``closed``.
        minutes_to_close: Until the close of the regular hours that run; None outside of them.
        zero_dte_share: Share of gross GEX that expires today, 0 to 1; None where not known.
        spot_move: spot / previous spot - 1, a fraction with its sign; None without a previous snapshot, as for gamma_change.
        expected_records: Metadata of the request that asked for the payload; None where none did or it did not say.
        data_quality: Likewise: ``low``, ``medium`` or ``high``.
        priority_hint: Likewise: ``low``, ``normal``, ``high`` or ``critical``. It moves the score inside its level's band.
        gamma_change_5m: As gamma_change, against the snapshot of five minutes before (of ten at the most); None without one.
        volume_percentile, open_interest_percentile: Share of the symbol's last minutes that had less, 0 to 100, equal ones
            counted half; up to 2,000 minutes of all its sources, None below 30 of them and where the payload carries none.
        change_percentile: Likewise for gamma_change, over the minutes of this source.
        minutes_since_changed: Since the numbers of this source and symbol last were other ones, whatever stamps they carried;
            None for the first snapshot.
    """

    symbol: str
    source: str
    data_type: str
    volume: float | None
    open_interest: float | None
    gamma_change: float | None
    data_age_s: float
    volume_from: str = "payload"
    clock_skew: bool = False
    source_reliability: float = 1.0
    coverage: float | None = None
    session: str = "regular"
    minutes_to_close: float | None = None
    zero_dte_share: float | None = None
    spot_move: float | None = None
    expected_records: int | None = None
    data_quality: str | None = None
    priority_hint: str | None = None
    gamma_change_5m: float | None = None
    volume_percentile: float | None = None
    open_interest_percentile: float | None = None
    change_percentile: float | None = None
    minutes_since_changed: float | None = None
