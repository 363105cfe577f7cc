"""What all tests share: plugins with the fixtures of each area, and who runs together."""

from __future__ import annotations

import pytest
from hypothesis import settings

# The same examples in every process and every run; those of a soak are its own. No timing.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

pytest_plugins = [
    "tests.servers",
    "tests.standin.fixtures",
    "tests.project.both",
    "tests.project.sites",
]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests for `--dist loadgroup`: a file is a group unless it says another one."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
