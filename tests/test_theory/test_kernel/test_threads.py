"""Work in threads: results in order, errors through, the number of BLAS threads respected and given back."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from theory import phi, phi_product
from theory.kernel import threads

RNG = np.random.default_rng(5)
X, Z = RNG.normal(size=(1300, 7)), RNG.normal(size=(1100, 7))


def blas_threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@pytest.fixture(params=[1, 3])
def limit(request):
    with threadpool_limits(request.param, user_api="blas"):
        yield request.param


def test_results_come_in_order(limit):
    assert threads.run(lambda i: i * i, range(50)) == [i * i for i in range(50)]


def test_as_many_threads_as_the_blas(limit):
    assert threads.count() == limit


def test_blas_has_one_thread_within_and_its_own_after(limit):
    before = blas_threads()
    within = threads.run(lambda _: blas_threads(), range(4))
    assert all(counts == [1] * len(before) for counts in within)
    assert blas_threads() == before


def test_nested_work_stays_in_its_thread():
    with threadpool_limits(2, user_api="blas"):
        assert threads.run(lambda _: threads.count(), range(4)) == [1] * 4


def test_an_error_comes_through_and_threads_are_given_back(limit):
    before = blas_threads()
    with pytest.raises(ZeroDivisionError):
        threads.run(lambda i: 1 // i, range(5))
    assert blas_threads() == before


def test_settings_of_the_caller_hold_in_the_threads(limit):
    with np.errstate(over="ignore"):
        assert np.isinf(threads.run(lambda _: np.float64(1e308) * 10, range(3))).all()
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        threads.run(lambda _: np.float64(1e308) * 10, range(3))


def test_callers_at_the_same_time_give_the_threads_back_once():
    with threadpool_limits(2, user_api="blas"):
        expected = phi(X, Z)
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda _: phi(X, Z), range(8)))
        for result in results:  # sums may start elsewhere in memory: both are within 1e-15 of Φ
            np.testing.assert_allclose(result, expected, rtol=0, atol=2e-15)
        assert blas_threads() == [2] * len(blas_threads())


def test_symmetric_matrix_is_exactly_symmetric_in_several_panels(limit):
    K = phi(X)
    assert np.array_equal(K, K.T)
    assert np.array_equal(np.diagonal(K), np.full(len(X), 0.5))
    # Both are within 1e-15 of Φ (test_reference).
    np.testing.assert_allclose(K, phi(X, X.copy()), rtol=0, atol=2e-15)


def test_number_of_threads_does_not_change_sums():
    v = RNG.normal(size=len(X))
    results = []
    for limit in (1, 3):
        with threadpool_limits(limit, user_api="blas"):
            results.append(phi_product(Z, X=X, v=v))
    # 1300 terms of size |v|, rounded a few times each.
    np.testing.assert_allclose(results[0], results[1], rtol=0, atol=1300 * 4 * np.finfo(float).eps)


def test_what_an_interrupt_left_is_healed():
    """An interrupt may strike between any two lines: the saved numbers are given back at the next call."""
    with threadpool_limits(2, user_api="blas"):
        for library in threads._libraries():
            threads._blas._saved.append((library, 2))
            library.set_num_threads(1)
        assert threads.count() == 2
        assert blas_threads() == [2] * len(blas_threads())


def test_at_the_end_of_the_interpreter_work_goes_on_without_threads():
    code = (
        "import atexit, numpy as np\n"
        "from theory import phi\n"
        "atexit.register(lambda: print(phi(np.ones((2000, 3)))[0, 0]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0.5"
    assert done.stderr == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning", "ignore:.*fork.*:RuntimeWarning")
def test_a_forked_child_works():
    with threadpool_limits(2, user_api="blas"):
        expected = phi(X, Z)
        child = os.fork()
        if child == 0:
            os._exit(0 if np.allclose(phi(X, Z), expected, rtol=0, atol=2e-15) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
