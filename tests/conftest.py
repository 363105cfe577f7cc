"""What all tests share: plugins with the fixtures of each area, and who runs together."""

from __future__ import annotations

import pytest
from hypothesis import settings

# The same examples in every process and every run; those of a soak are its own. No timing.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

pytest_plugins = [
    "tests.tallies",
    "tests.servers",
    "tests.standin.fixtures",
    "tests.project.both",
    "tests.project.sites",
]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests for `--dist loadgroup`: a file is a group unless it says another one.

    Whole builds through the stand-in take minutes: what needs them is for `make test-long`.
    """
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "both" in fixtures:
            item.add_marker(pytest.mark.ci)
            item.add_marker(pytest.mark.xdist_group("both warehouses"))
        elif {"demo", "demo_template"} & set(fixtures):
            item.add_marker(pytest.mark.xdist_group("demo"))
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
