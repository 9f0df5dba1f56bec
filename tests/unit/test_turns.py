"""Writes let requests go first, and never stop for them."""

import threading
import time

from hybridsearch.turns import LONGEST, SHARE, asking, give_way


def seconds_of(work: float) -> float:
    """How long a loop that has worked so long gives way."""
    give_way()
    time.sleep(work)
    began = time.perf_counter()
    give_way()
    return time.perf_counter() - began


def test_a_loop_waits_for_a_request_as_long_as_is_its_share() -> None:
    with asking():
        assert seconds_of(0.003) >= 0.9 * SHARE * 0.003


def test_a_loop_goes_on_when_the_request_is_answered() -> None:
    waited = threading.Event()

    def load() -> None:
        seconds_of(LONGEST)
        waited.set()

    worker = threading.Thread(target=load)
    with asking():
        worker.start()
    worker.join()
    assert waited.is_set()


def test_a_request_that_never_ends_does_not_stop_a_loop() -> None:
    with asking():
        rounds = [seconds_of(0.001) for _ in range(10)]
    assert len(rounds) == 10


def test_two_requests_count_until_the_last_has_ended() -> None:
    with asking():
        with asking():
            pass
        assert seconds_of(0.003) >= 0.9 * SHARE * 0.003
