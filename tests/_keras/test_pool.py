import threading
import time

import pytest

from skhisto._keras.pool import NetworkPool


def test_a_network_that_was_given_back_is_lent_again():
    pool = NetworkPool(max_idle=2)
    with pool.borrow("key", object) as first:
        pass
    with pool.borrow("key", object) as second:
        assert second is first


def test_another_key_gets_another_network():
    pool = NetworkPool(max_idle=2)
    with pool.borrow("key", object) as first:
        pass
    with pool.borrow("other", object) as second:
        assert second is not first


def test_a_network_is_lent_to_one_borrower_at_a_time():
    pool = NetworkPool(max_idle=2)
    with pool.borrow("key", object) as first, pool.borrow("key", object) as second:
        assert second is not first


def test_a_network_whose_borrower_failed_is_not_lent_again():
    pool = NetworkPool(max_idle=2)
    with pytest.raises(KeyError), pool.borrow("key", object) as first:
        raise KeyError
    with pool.borrow("key", object) as second:
        assert second is not first


def test_the_least_recently_used_network_is_dropped():
    pool = NetworkPool(max_idle=2)
    networks = {}
    for key in ("a", "b", "a", "c"):
        with pool.borrow(key, object) as networks[key]:
            pass
    with pool.borrow("a", object) as a, pool.borrow("b", object) as b:
        assert a is networks["a"]
        assert b is not networks["b"]


def test_threads_never_share_a_network():
    pool = NetworkPool(max_idle=3)
    in_use, clashes = set(), []
    barrier = threading.Barrier(4)

    def work():
        barrier.wait()
        for _ in range(50):
            with pool.borrow("key", object) as network:
                if id(network) in in_use:
                    clashes.append(network)
                in_use.add(id(network))
                time.sleep(1e-4)
                in_use.discard(id(network))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not clashes
    assert len(pool._idle) <= 3
