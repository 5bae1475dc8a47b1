"""Poison in the middle of a stream, in the short form; what it costs the others is judged by the long one."""

from tests.faults import poison


def test_poison_is_buried_its_processes_are_replaced_and_nothing_else_is_lost() -> None:
    outcome = poison.run(full=False)
    assert outcome.buried, outcome
    assert outcome.max_beside_s < 30.0, outcome
