"""Random histories of the staging bucket: few names and values, so that they meet."""

from __future__ import annotations

from typing import get_args

from hypothesis import strategies as st

from tests.project.events import (
    Built,
    Changed,
    ChangedAndBack,
    CutOffFile,
    Entity,
    Event,
    Exported,
    ExportedEmpty,
    ExportedInTwoSteps,
    ExportedTwiceOver,
    History,
    Loaded,
    NewFile,
    Policy,
    Ran,
    Requeued,
    Row,
    Rows,
    SentAgain,
    Vanished,
)  # fmt: skip
from tests.project.sales_events import MORE_SALES, SOME_SALES, sales_events

measurement = st.fixed_dictionaries(
    {
        "measurement_id": st.sampled_from(["m1", "m2", "m3", "m4", ""]),
        "experiment_id": st.sampled_from(["e1", "e2", "e3", ""]),
        "location_id": st.sampled_from(["l1", "l2", ""]),
        "measured_at": st.sampled_from(
            [
                "2020-01-31T23:59:59.999999Z", "2020-02-01T00:00:00Z", "2020-02-01T01:30:00+02:00",
                "2020-02-15 12:00", "2020-03-01T00:00:00Z", "1800-01-01T00:00:00Z",
                "2020-02-30T00:00:00Z", "",
            ]
        ),
        "temperature": st.sampled_from(
            ["20", "-50", "100.0001", "68.5", "1e1", "x", "", "NA", ".00005", " 7 ", "9999999999"]
        ),
        "temperature_unit": st.sampled_from(["degC", "degF", "degC", "furlong"]),
        "humidity": st.sampled_from(["", "50", "105", "105.1"]),
        "humidity_unit": st.just("%"),
        "pressure": st.sampled_from(["", "101.325", "300"]),
        "pressure_unit": st.just("kPa"),
        "updated_at": st.sampled_from(
            ["2020-04-01T00:00:00Z", "2020-04-02T00:00:00Z", "2020-04-03T00:00:00Z", "", "soon"]
        ),
    }
)  # fmt: skip
rows = st.lists(measurement, max_size=4).map(tuple)
file = st.integers(0, 5)
day = st.sampled_from(["20191201", "20200120", "20200201", "20200210", "20200301"])
_WRITTEN = {
    "experiments": st.fixed_dictionaries(
        {
            "experiment_name": st.sampled_from(["Ash", "Birch"]),
            "researcher_id": st.sampled_from(["r1", "r2", ""]),
            "status": st.sampled_from(["active", "active", "closed"]),
            "end_date": st.sampled_from(["", "2020-02-30", "2020-02-29"]),
            "metadata": st.sampled_from(["", "{}", "[1]"]),
        }
    ),
    "locations": st.fixed_dictionaries(
        {
            "location_name": st.sampled_from(["Roof", "Cellar"]),
            "latitude": st.sampled_from(["47.5", "north", ""]),
        }
    ),
    "researchers": st.fixed_dictionaries(
        {"researcher_name": st.sampled_from(["Curie", "Noether"])}
    ),
}
_KEYS = {"experiments": ["e1", "e2"], "locations": ["l1", "l2"], "researchers": ["r1", "r2"]}


@st.composite
def _copies(draw: st.DrawFn, entity: Entity) -> Rows:
    """Draw some of the rows that come and go; the others keep exports from shrinking by half."""
    key = entity.removesuffix("s") + "_id"
    fillers = [{key: f"x{number}"} for number in range(3)]
    known = draw(st.dictionaries(st.sampled_from(_KEYS[entity]), _WRITTEN[entity]))
    return (*fillers, *({key: name} | row for name, row in sorted(known.items())))


def _exports(entity: Entity) -> st.SearchStrategy[Event]:
    copy, named = _copies(entity), st.just(entity)
    usual = st.builds(Exported, named, day, copy, st.sampled_from([False, False, False, True]))
    return st.one_of(
        usual,
        usual,
        usual,
        st.builds(ExportedInTwoSteps, named, day, copy, st.booleans()),
        st.builds(ExportedTwiceOver, named, day, copy, st.booleans()),
        st.builds(ExportedEmpty, named, day, st.booleans()),
    )


new_file = st.builds(NewFile, rows)
builds = (st.just(Ran()), st.sampled_from([Built(), Built(full_refresh=True), Loaded()]))
research_events = st.one_of(
    new_file,
    new_file,
    st.one_of(
        st.builds(CutOffFile, rows, st.booleans()),
        st.builds(SentAgain, file, st.booleans()),
        st.builds(Changed, file, rows),
        st.builds(ChangedAndBack, file, rows),
        st.builds(Vanished, file, st.booleans()),
        st.builds(Requeued, file, st.booleans()),
    ),
    st.one_of(*(_exports(entity) for entity in get_args(Entity))),
    _exports("experiments"),
    *builds,
)


def _histories(events: st.SearchStrategy[Event]) -> st.SearchStrategy[History]:
    policy = st.sampled_from(get_args(Policy))
    return st.builds(History, policy, st.lists(events, min_size=4, max_size=10).map(tuple))


# Of the research database or of sales: no model reads both, and a build of one is half as long.
research_histories = _histories(research_events)
sales_histories = _histories(st.one_of(*(sales_events,) * 4, *builds))
histories = st.one_of(research_histories, research_histories, sales_histories)


# What happens in the field, in one history: for where there is time for one only.


def _at(measurement_id: str, measured_at: str, updated_at: str, **rest: str) -> Row:
    times = {"measured_at": f"{measured_at}T00:00:00Z", "updated_at": f"{updated_at}T00:00:00Z"}
    return {"measurement_id": measurement_id, "location_id": "l1"} | times | rest


def _named(entity: Entity, *names: tuple[str, str]) -> Rows:
    one = entity.removesuffix("s")
    fillers = [{f"{one}_id": f"x{number}"} for number in range(3)]
    return (*fillers, *({f"{one}_id": key, f"{one}_name": name} for key, name in names))


A_BIT_OF_ALL = History(
    "fail",
    (
        # Before anything is known of e1: a fact, its repetition, one that is out of range.
        NewFile(
            (
                _at("m1", "2020-01-15", "2020-04-01"),
                _at("m1", "2020-01-15", "2020-04-01"),
                _at("m2", "2020-02-15", "2020-04-01", temperature="101"),
                _at("", "2020-02-15", "2020-04-01"),
            )
        ),
        *SOME_SALES,
        CutOffFile(
            (
                _at("m3", "2020-02-01", "2020-04-01", temperature="NA"),
                _at("m4", "2020-02-03", "2020-04-01"),
            ),
            corrected=True,
        ),
        Ran(),
        # A newer version of m1 in another month, an older one of m2, a tie of m3, and an m4
        # that leaves its day empty.
        NewFile(
            (
                _at("m1", "2020-03-01", "2020-04-02", experiment_id="e2", temperature="1e1"),
                _at("m2", "2020-02-15", "2020-03-01", humidity="50", humidity_unit="%"),
                _at("m3", "2020-02-01", "2020-04-01", temperature="7"),
                _at("m4", "", "2020-04-02"),
            )
        ),
        Exported("experiments", "20200201", _named("experiments", ("e1", "Ash"))),
        Exported("locations", "20200120", _named("locations", ("l1", "Roof"))),
        Exported("locations", "20200210", _named("locations")),
        Exported("researchers", "20200120", _named("researchers", ("r1", "Curie"))),
        *MORE_SALES,
        Loaded(),
        Built(),
        # Late and back-dated, gone and back again, A to B to A; empty by mistake.
        Exported("experiments", "20191201", _named("experiments", ("e1", "Birch"), ("e2", "Oak"))),
        Exported("experiments", "20200301", _named("experiments", ("e1", "Birch"), ("e2", "Oak"))),
        Exported("locations", "20200301", _named("locations", ("l1", "Roof"))),
        ExportedEmpty("experiments", "20200210", requeued=False),
        # Put right by its owner, with an m1 that is older than the one of the second file.
        Changed(
            0,
            (
                _at("m2", "2020-02-15", "2020-04-03", temperature="20"),
                _at("m1", "2020-01-15", "2020-04-01", temperature="30"),
            ),
        ),
    ),
)
