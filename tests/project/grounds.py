"""Where histories are played: a warehouse that can be put back to its state after a first build."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings

from loaders.dbt_runner import Dbt
from loaders.project import Project
from loaders.staging.objects import Staging
from tests.project.arrivals import Groups, Source, play
from tests.project.desk import Desk
from tests.project.events import Built, History, Loaded, Ran, moves
from tests.project.histories import A_BIT_OF_ALL
from tests.project.player import BUILD, Counted, Player, Tally, build_of
from tests.project.replay import ReplayedDbt
from tests.project.sales_events import SalesEvent
from tests.tallies import tally

PLAY = settings(
    deadline=None, database=None, print_blob=True, suppress_health_check=list(HealthCheck)
)
SAME = settings(PLAY, derandomize=True)
SOAK = int(os.environ.get("SOAK_HISTORIES", "2000"))


@dataclass
class Ground:
    """One target; `reset` empties its bucket and puts the warehouse back to its first build."""

    name: str
    project: Project
    dbt: Dbt
    replayed: ReplayedDbt
    reset: Callable[[], None]
    built: Tally = field(default_factory=Tally)
    copied: Tally = field(default_factory=Tally)
    arrivals: int = 0

    def build(self, history: History) -> Counted:
        """Play a history with dbt; return what the warehouse holds at the end."""
        self.reset()
        staged = [e for e in history.events if not isinstance(e, Loaded | Built | Ran)]
        of_sales = [isinstance(event, SalesEvent) for event in staged]
        sources = {"sales" if sold else "research_db" for sold in of_sales} or {"sales"}
        return Player(
            self.project, self.dbt, self.built, history, build_of(*sorted(sources))
        ).play()

    def replay(self, history: History) -> Counted:
        """Play a history with what dbt has sent; return what the warehouse holds at the end."""
        self.reset()
        return Player(self.project, self.replayed, self.copied, history).play()

    def play(self, source: Source, groups: Groups) -> None:
        """Have the pieces of a source come in groups, with what dbt has sent."""
        self.reset()
        self.arrivals += 1
        play(Desk(self.project, self.replayed, source.selection), source, groups)

    @contextmanager
    def reported(self) -> Iterator[Ground]:
        """Say at the end what was played and compared."""
        yield self
        for kind, played in (("built by dbt", self.built), ("replayed", self.copied)):
            if played.histories:
                tally(f"{self.name}, {kind}: {played}")
        if self.arrivals:
            tally(f"{self.name}: {self.arrivals} histories of sources' arrivals")


def without_builds(history: History) -> History:
    """Return the history with all its files at once: a build at its end, and a full refresh."""
    events = tuple(e for e in history.events if not isinstance(e, Ran | Built))
    return History(history.on_changed_file, events)


def clear(staging: Staging) -> None:
    """Delete all objects."""
    for item in list(staging.list("")):
        staging.client.delete_object(Bucket=staging.bucket, Key=item.key)


def check_what_dbt_sends(ground: Ground) -> None:
    """Check that a build sends the same without news, with some, and with late exports."""
    for arguments in ((), ("--full-refresh",)):
        ground.reset()
        player = Player(ground.project, ground.dbt, Tally(), A_BIT_OF_ALL)
        seen = []
        for events in ((), A_BIT_OF_ALL.events[:7], A_BIT_OF_ALL.events[7:]):
            for move in moves(History("fail", events)):
                player.do(Loaded() if isinstance(move, Ran | Built) else move)
            _, sent = ground.replayed.record("build", *BUILD, *arguments)
            seen.append([statement.shape for statement in sent])
        assert len(seen[0]) > 100
        assert seen[1] == seen[0]
        assert seen[2] == seen[0]
