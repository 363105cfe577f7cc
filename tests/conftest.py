"""What all tests share: plugins with the fixtures of each area."""

pytest_plugins = ["tests.servers", "tests.standin.fixtures", "tests.project.both"]
