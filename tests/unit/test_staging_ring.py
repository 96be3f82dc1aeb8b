"""Memory that several files share: bounded, in turn, and none of it lost."""

from __future__ import annotations

import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from autoscaler.staging.errors import HubUnavailableError
from autoscaler.staging.hub import HubClient
from autoscaler.staging.retry import RetryPolicy
from autoscaler.staging.ring import Ring
from autoscaler.staging.windows import FileAt, Windows
from tools.hub import Fault, HubServer, Repository

MIB = 2**20
CONTENTS = {f"{n}.safetensors": bytes([65 + n]) * (11 * MIB + n) for n in range(4)}
REPOSITORY = Repository.of("acme/many", CONTENTS)
FAST = RetryPolicy(attempts=2, base_seconds=0.001, cap_seconds=0.01, wait_budget_seconds=5)


class Watched(Ring):
    """Remembers the most that was lent at once."""

    most = 0

    def take(self, *args):
        piece = super().take(*args)
        self.most = max(self.most, self._lent_bytes)
        return piece


def always() -> bool:
    return True


def test_no_more_is_lent_than_the_limit_and_what_comes_back_is_lent_again() -> None:
    ring, got = Ring(10), []
    first, second = ring.take(5, always), ring.take(5, always)
    waiting = threading.Thread(target=lambda: got.append(ring.take(5, always)))
    waiting.start()
    time.sleep(0.05)
    assert got == []
    ring.give(second)
    waiting.join(5)
    assert got[0] is second
    ring.give(first)
    ring.give(got[0])
    other = ring.take(8, always)
    assert len(other) == 8
    assert ring._held_bytes() <= 10, "pieces of another size made room"


def test_the_first_who_came_is_served_first() -> None:
    ring, served = Ring(10), []
    held = ring.take(10, always)

    def ask(size: int) -> None:
        served.append(len(ring.take(size, always)))

    threads = []
    for size in (9, 1):  # the small one would fit earlier, and starve the large one
        threads.append(threading.Thread(target=ask, args=(size,)))
        threads[-1].start()
        time.sleep(0.05)
    ring.give(held)
    for thread in threads:
        thread.join(5)
    assert served == [9, 1]


def test_more_than_the_limit_is_lent_when_nothing_else_is() -> None:
    assert len(Ring(10).take(99, always)) == 99


def test_who_does_not_want_it_any_more_goes_away() -> None:
    ring, wanted, got = Ring(10), [True], []
    ring.take(10, always)
    waiting = threading.Thread(target=lambda: got.append(ring.take(5, lambda: wanted[0])))
    waiting.start()
    wanted[0] = False
    ring.wake()
    waiting.join(5)
    assert got == [None]


@pytest.mark.parametrize("window_mib", [1, 5, 11])
def test_four_files_at_a_time_share_it_and_come_out_whole(window_mib: int) -> None:
    ring = Watched(12 * MIB)

    def read(path: str) -> str:
        digest = hashlib.sha256()
        windows = Windows(hub, at(path), connections=4, window_bytes=window_mib * MIB, ring=ring)
        try:
            for window in windows:
                digest.update(window)
        finally:
            windows.close()
        return digest.hexdigest()

    with HubServer([REPOSITORY]) as server, ThreadPoolExecutor(4) as pool:
        hub = HubClient(server.endpoint)
        found = dict(zip(CONTENTS, pool.map(read, CONTENTS), strict=True))
    assert found == {path: hashlib.sha256(body).hexdigest() for path, body in CONTENTS.items()}
    assert 0 < ring.most <= 12 * MIB
    assert ring._lent_bytes == 0


@pytest.mark.parametrize("how", ["closed", "refused"])
def test_what_was_under_way_comes_back_when_it_ends_early(how: str) -> None:
    ring = Ring(6 * MIB)
    with HubServer([REPOSITORY]) as server:
        hub = HubClient(server.endpoint, policy=FAST)
        windows = Windows(hub, at("0.safetensors"), window_bytes=MIB, ring=ring)
        read = iter(windows)
        next(read)
        if how == "refused":
            server.inject(Fault.HTML, "0.safetensors", times=99)
            with pytest.raises(HubUnavailableError):
                for _ in read:
                    time.sleep(0.01)
            assert server.fired[Fault.HTML] >= 2
        windows.close()
        end = time.monotonic() + 10
        while ring._lent_bytes:
            assert time.monotonic() < end, f"{ring._lent_bytes} bytes never came back"
            time.sleep(0.01)


def at(path: str) -> FileAt:
    return FileAt("acme/many", REPOSITORY.commit, path, len(CONTENTS[path]))
