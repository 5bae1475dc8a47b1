"""A table of what was traded beside a chain of what is held: only their spots can be compared."""

from gexdesk.gates.agree import Tolerances, compare, disagreements
from gexdesk.gates.facts import Evidence, Facts


def facts(source: str, *, by_volume: bool, spot: float = 100.0, net: float = 1e9, wall: float = 101.0) -> Facts:
    return Facts(
        symbol="AMZN", source=source, as_of=0.0, received_at=0.0, session=0, spot=spot, net_gex=net, gross_gex=4e9, call_wall=wall,
        put_wall=95.0, flip=99.0, evidence=Evidence(inputs=1, given=by_volume, by_volume=by_volume),
    )  # fmt: skip


def names(left: Facts, right: Facts) -> list[str]:
    return [row.name for row in disagreements(compare(left, right, Tolerances(), age_left_s=0.0, age_right_s=0.0))]


def test_exposure_by_volume_denies_no_exposure_by_open_interest() -> None:
    held = facts("chain", by_volume=False)
    assert names(held, facts("table", by_volume=True, net=-2e9, wall=110.0)) == []
    assert names(held, facts("other", by_volume=False, net=-2e9, wall=110.0)) == ["net_gex", "call_wall"]


def test_their_spots_do() -> None:
    assert names(facts("chain", by_volume=False), facts("table", by_volume=True, spot=101.0)) == ["spot"]
