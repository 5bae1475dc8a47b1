"""What a server does short of dying, briefly; ``python -m tests.faults redis_pause --full`` does it for twenty seconds each."""

from tests.faults.redis_pause import run


def test_the_desk_goes_on_whatever_redis_does() -> None:
    outcome = run(full=False)
    assert outcome.sound, outcome
