"""The table of branches by room adds up files where they belong."""

from coverage_by_room import room_of, rows


def test_a_room_is_a_folder_of_a_package_or_the_package_itself() -> None:
    assert room_of("operator/profile_operator/decide/status.py") == "profile_operator/decide"
    assert room_of("operator/profile_operator/handlers.py") == "profile_operator"
    assert room_of("workshop/profile_workshop/people/cast/a.py") == "profile_workshop/people"
    assert room_of("setup.py") == "setup.py"


def test_branches_are_added_up_and_rooms_without_any_left_out() -> None:
    files = {
        "operator/profile_operator/decide/a.py": {"summary": {"covered_branches": 3, "num_branches": 4}},
        "operator/profile_operator/decide/b.py": {"summary": {"covered_branches": 1, "num_branches": 6}},
        "crds/profile_contract/c.py": {"summary": {"covered_branches": 0, "num_branches": 0}},
    }
    assert rows({"files": files}) == [("profile_operator/decide", 4, 10)]
