"""A large document and one beyond the cap, in the short form; how long the loop may stand still is judged by the long one."""

from tests.faults import loop_stall


def test_a_large_document_is_served_and_one_beyond_the_cap_refused_in_words() -> None:
    outcome = loop_stall.run(full=False)
    assert outcome.whole, outcome
    assert outcome.stall_s < 2.0, outcome
