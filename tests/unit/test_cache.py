"""What a cache keeps, and what goes."""

from __future__ import annotations

from hybridsearch.cache import Cache


def test_what_was_not_used_for_longest_goes_first() -> None:
    cache = Cache[str](6, len)
    for key in ("aa", "bb", "cc"):
        cache.put(key, key)
    cache.get("aa")
    cache.put("dd", "dd")
    assert [key in cache for key in ("aa", "bb", "cc", "dd")] == [True, False, True, True]


def test_a_value_that_is_too_large_is_not_kept_and_what_goes_is_told() -> None:
    gone: list[object] = []
    cache = Cache[str](3, len, dropped=gone.append)
    assert cache.put("large", "large") == "large"
    assert gone == ["large"]
    assert "large" not in cache


def test_a_value_put_anew_takes_the_place_of_the_one_before() -> None:
    cache = Cache[str](4, len)
    for value in ("abc", "a", "ab"):
        cache.put("one", value)
    cache.put("two", "cd")
    assert [cache.get("one"), cache.get("two")] == ["ab", "cd"]
    cache.put("one", "abc")
    assert [cache.get("one"), cache.get("two")] == ["abc", None]


def test_so_many_values_are_kept_whatever_they_take() -> None:
    cache = Cache[str](3, len, least=2)
    for key in ("long", "longer", "longest"):
        cache.put(key, key)
    assert [key in cache for key in ("long", "longer", "longest")] == [False, True, True]
