"""Two ways of spoiling three wires; ``python -m tests.faults network --full`` has five, one wire at a time."""

from tests.faults.network import run


def test_nothing_gets_stuck_on_a_wire_that_is_spoiled() -> None:
    outcome = run(full=False)
    assert outcome.sound, outcome
