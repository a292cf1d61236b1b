from skhisto.slides._lru import LRU


def test_the_objects_used_last_are_kept_up_to_the_limit():
    made = []
    kept = LRU(limit=2)

    def get(key):
        return kept.get(key, lambda: made.append(key) or key)

    for key in ["a", "b", "a", "c", "a", "b"]:
        assert get(key) == key
    assert made == ["a", "b", "c", "b"]
    assert kept.weight == 2


def test_an_object_heavier_than_the_limit_is_kept_alone():
    kept = LRU(limit=10)
    assert kept.get("a", lambda: "light", len) == "light"
    assert kept.get("b", lambda: "heavy" * 3, len) == "heavy" * 3
    assert kept.get("b", lambda: "new", len) == "heavy" * 3
    assert kept.weight == 15
    assert kept.get("c", lambda: "light", len) == "light"
    assert kept.weight == 5


def test_a_forgotten_object_is_made_again():
    kept = LRU(limit=2)
    kept.get("a", lambda: "old")
    kept.forget("a")
    kept.forget("unknown")
    assert kept.get("a", lambda: "new") == "new"
    assert kept.weight == 1
