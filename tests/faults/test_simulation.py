"""Twenty seeds of the simulation; ``python -m tests.faults simulation --full`` runs a thousand hours."""

from tests.faults.simulation import run, simulate


def test_every_promise_holds_in_every_seed() -> None:
    outcome = run(full=False)
    assert outcome.sound, outcome
    assert outcome.escalated > 0
    assert outcome.nearest_bound > 0.9, "the bound is nowhere near: is anything simulated that could break it?"


def test_a_seed_is_the_same_run_again() -> None:
    first, again = simulate(7, 200.0), simulate(7, 200.0)
    assert first.claims > 100
    assert (first.claims, first.rescued, first.ended, first.nearest) == (again.claims, again.rescued, again.ended, again.nearest)
