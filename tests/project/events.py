"""What happens to a staging bucket, in the words of those who fill it.

A history is one event after the other; `moves` says what they mean for the bucket, the loader and
dbt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tests.project.desk import EXPERIMENT, MEASUREMENT
from tests.project.sales_events import SalesEvent, SalesSentAgain, SalesStaged, next_file
from tests.project.sales_objects import SalesFile

Row = dict[str, str]
Rows = tuple[Row, ...]
Entity = Literal["experiments", "locations", "researchers"]
Policy = Literal["fail", "replace", "append"]

LOCATION = {
    "location_id": "l1", "location_name": "Roof", "latitude": "47.5", "longitude": "-8.25",
    "elevation_m": "", "country": "CH", "timezone": "",
}  # fmt: skip
RESEARCHER = {"researcher_id": "r1", "researcher_name": "", "email": "", "department": ""}
COLUMNS = {
    "measurements": MEASUREMENT, "experiments": EXPERIMENT, "locations": LOCATION,
    "researchers": RESEARCHER,
}  # fmt: skip


@dataclass(frozen=True)
class Body:
    """The content of a staged file; one that is cut off ends in the middle of a record."""

    table: str
    rows: Rows
    cut_off: bool = False

    def text(self) -> str:
        """Return the file as CSV."""
        lines = [",".join(COLUMNS[self.table])]
        lines += [",".join((COLUMNS[self.table] | row).values()) for row in self.rows]
        return "\n".join([*lines, "cut"] if self.cut_off else lines) + "\n"


# What can happen. A file is known by its number: the n-th new one, modulo how many there are.


@dataclass(frozen=True)
class NewFile:
    """Measurements under a new key; none: a file of its header only."""

    rows: Rows


@dataclass(frozen=True)
class CutOffFile:
    """A file that was cut off, refused, and put whole under the same key, or never."""

    rows: Rows
    corrected: bool


@dataclass(frozen=True)
class SentAgain:
    """A file with the same content once more, under its own key or as another file."""

    file: int
    as_another: bool


@dataclass(frozen=True)
class Changed:
    """New content under a loaded key; where the contract says `fail`, refused and requeued."""

    file: int
    rows: Rows


@dataclass(frozen=True)
class ChangedAndBack:
    """New content under a loaded key, seen by the loader, and then the old content again."""

    file: int
    rows: Rows


@dataclass(frozen=True)
class Vanished:
    """A loaded file is deleted from the bucket, seen missing, and may be put back."""

    file: int
    put_back: bool


@dataclass(frozen=True)
class Requeued:
    """Somebody has a loaded file loaded again, as it is or cut off (and so refused)."""

    file: int
    cut_off: bool


@dataclass(frozen=True)
class Exported:
    """A complete copy of a dimension as of a day; the same day again replaces it.

    A twin is as of the same instant in another zone: another key, which sorts last and counts.
    """

    entity: Entity
    day: str
    rows: Rows
    twin: bool = False


@dataclass(frozen=True)
class ExportedInTwoSteps:
    """An export whose marker comes later, or never."""

    entity: Entity
    day: str
    rows: Rows
    marked: bool


@dataclass(frozen=True)
class ExportedTwiceOver:
    """An export with a key in two rows, refused, and put right, or never."""

    entity: Entity
    day: str
    rows: Rows
    corrected: bool


@dataclass(frozen=True)
class ExportedEmpty:
    """An export without rows: refused as shrunk where there was one before, unless requeued."""

    entity: Entity
    day: str
    requeued: bool


@dataclass(frozen=True)
class Loaded:
    """`warehouse load`."""


@dataclass(frozen=True)
class Built:
    """A plain `dbt build`, beside whatever waits."""

    full_refresh: bool = False


@dataclass(frozen=True)
class Ran:
    """`warehouse run`: load, replay the exports, build. Now the marts are as they shall be."""


Event = (
    NewFile | CutOffFile | SentAgain | Changed | ChangedAndBack | Vanished | Requeued
    | Exported | ExportedInTwoSteps | ExportedTwiceOver | ExportedEmpty | SalesEvent
    | Loaded | Built | Ran
)  # fmt: skip


@dataclass(frozen=True)
class History:
    """The contract's rule for changed files, and what happens under it; a run is always last."""

    on_changed_file: Policy
    events: tuple[Event, ...]


# What it means. Moves are all that a player has to know.


@dataclass(frozen=True)
class Put:
    """Stage an object; without a body, a marker."""

    key: str
    body: Body | SalesFile | None


@dataclass(frozen=True)
class Delete:
    """Delete an object."""

    key: str


@dataclass(frozen=True)
class Requeue:
    """Have the next load take a file of a table again."""

    table: str
    key: str


Move = Put | Delete | Requeue | Loaded | Built | Ran


def moves(history: History) -> Iterator[Move]:
    """Yield the moves of a history."""
    files: list[Body] = []
    sales: list[SalesFile] = []
    for event in history.events:
        match event:
            case NewFile() | CutOffFile():
                yield from _new(files, event)
            case Exported() | ExportedInTwoSteps() | ExportedTwiceOver() | ExportedEmpty():
                yield from _export(event)
            case SalesStaged() | SalesSentAgain():
                if file := next_file(sales, event):
                    yield Put(file.key, file)
            case Loaded() | Built() | Ran():
                yield event
            case _ if files:
                yield from _again(files, event, history.on_changed_file)
    yield Ran()


def file_key(number: int) -> str:
    """Return the key of a measurement file."""
    return f"research_db/measurements/file-{number:02d}.csv"


def _new(files: list[Body], event: NewFile | CutOffFile) -> Iterator[Move]:
    key = file_key(len(files))
    whole = Body("measurements", event.rows)
    match event:
        case NewFile():
            files.append(whole)
            yield Put(key, whole)
        case CutOffFile(rows, corrected):
            part = Body("measurements", rows, cut_off=True)
            files.append(whole if corrected else part)
            yield Put(key, part)
            if corrected:
                yield Loaded()
                yield Put(key, whole)


def _again(files: list[Body], event: Event, policy: Policy) -> Iterator[Move]:
    """Yield what happens to a file that is there already."""
    number = event.file % len(files)  # type: ignore[union-attr]
    key, held = file_key(number), files[number]
    if isinstance(event, SentAgain):
        if event.as_another:
            files.append(held)
            key = file_key(len(files) - 1)
        yield Put(key, held)
        return
    yield Loaded()
    match event:
        case Changed(_, rows):
            files[number] = Body("measurements", rows)
            yield Put(key, files[number])
            if policy == "fail":
                yield Loaded()
                yield Requeue("measurements", key)
                yield Loaded()
        case ChangedAndBack(_, rows):
            yield Put(key, Body("measurements", rows))
            yield Loaded()
            yield Put(key, held)
            yield Loaded()
        case Vanished(_, put_back):
            yield Delete(key)
            yield Loaded()
            if put_back or policy == "fail":  # who requeues its neighbours will need it
                yield Put(key, held)
        case Requeued(_, cut_off) if policy == "fail":
            if cut_off:
                yield Put(key, Body("measurements", held.rows, cut_off=True))
            yield Requeue("measurements", key)
            yield Loaded()
            if cut_off:
                yield Put(key, held)


def _export(
    event: Exported | ExportedInTwoSteps | ExportedTwiceOver | ExportedEmpty,
) -> Iterator[Move]:
    zone = "T010000+0100" if isinstance(event, Exported) and event.twin else "T000000Z"
    folder = f"research_db/{event.entity}/exported_at={event.day}{zone}/"
    key, marker = folder + "part-0.csv", Put(folder + "_SUCCESS", None)
    match event:
        case Exported(entity, _, rows):
            yield Put(key, Body(entity, rows))
            yield marker
        case ExportedInTwoSteps(entity, _, rows, marked):
            yield Delete(marker.key)
            yield Put(key, Body(entity, rows))
            yield Loaded()
            if marked:
                yield marker
        case ExportedTwiceOver(entity, _, rows, corrected):
            yield Put(key, Body(entity, (*rows, rows[0])))
            yield marker
            if corrected:
                yield Loaded()
                yield Put(key, Body(entity, rows))
        case ExportedEmpty(entity, _, requeued):
            yield Put(key, Body(entity, ()))
            yield marker
            if requeued:
                yield Loaded()
                yield Requeue(entity, key)
