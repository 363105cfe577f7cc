"""Exports of papers as mongoexport writes them, by MongoDB's own library, with what hurts."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from bson import Decimal128, Int64, ObjectId, json_util
from bson.datetime_ms import DatetimeMS

from loaders.demo.nycflights13 import StagedObject

Document = dict[str, Any]

BUCKET = "project-tests"
MEASUREMENTS = "research_db/measurements/of-a-paper.csv"
_LONG = {"en": "x" * 40_000, "de": "y" * 40_000}
STAGED = "literature/staged.csv"  # no table's object
EXPERIMENT = "exp-jfk"
LONG_AGO = datetime(1931, 5, 7, 23, 59, 59, 999000, tzinfo=UTC)
DATES = (
    "2013 Spring", "2001 Jul-Aug", "1998 Dec-1999 Jan", "1978-1979", "1979 Sep 12-18", "2013-07",
    "2013-13", "2013-07-15", "2013-02-30", "2013", "1979-1980 Fall-Winter", "2020 3rd Quarter",
    "Jul-Aug 2001", "May 1999", "Dec 1998-Jan 1999", "Winter 1998-1999",
    "Winter", "Spring 2013", "2001 July", "2001 jul", "20013",
    "c1999", "in press", " 2004 Mar ", "2001/07", "200", "0000 Jan", "Mayday 1999",
    "1999 Maybe", "2001  Jul",
)  # fmt: skip
P_VALUES = (
    "0.1234567890123456789012345678901234", "1E-7", "0.049999999", "-0.000000019", "1.50",
    "5E-6176", "NaN", "Infinity", "9.999999999999999999999999999999999E+6144", "123456789.5",
)  # fmt: skip
NUMBERS = (
    40, Int64(2**53), 40.0, 1234567.0, 40.5, -3, Int64(10**17), "40", " 40", "4O", "", True, None,
    Decimal128("40"), Decimal128("40.0"), Decimal128("4E+1"), Decimal128("40.5"), [], {"n": 1},
)  # fmt: skip
TEXTS = (
    'say "hi"', "it's {{ braces }}", "back\\slash", "line\nbreak\ttab", "Ünïcödé 測定 🌡", "a|b",
    "\u2028 separator", " no\u00a0break ", "%s $1 :x -- comment", "x" * 1200,
    "ü" * 32_000, "<b>&</b>",
)  # fmt: skip


def paper(number: int, **fields: Any) -> Document:
    """Return a document with an id, a title, and these fields; `...` takes a field away."""
    document = {"_id": ObjectId(f"{number:024x}"), "title": f"Paper {number}", **fields}
    return {name: value for name, value in document.items() if value is not ...}


def full(number: int, **fields: Any) -> Document:
    """Return a document with every field."""
    return paper(
        number,
        **{
            "pmid": "10704411",
            "version": 1,
            "doi": "10.1016/s0960-9822(00)00336-5",
            "abstract": "One two.\nThree.",
            "journal": {"title": "Current Biology", "issn": "0960-9822"},
            "published": datetime(2000, 2, 24, tzinfo=UTC),
            "language": "eng",
            "authors": [
                {
                    "name": "R J Bainton",
                    "affiliation": "San Francisco",
                    "orcid": "0000-0002-1825-0097",
                },
                {"name": "L T Tsai"},
            ],
            "keywords": ["Dopamine", "ethanol"],
            "methodology": {
                "design": "Journal Article",
                "sample_size": 40,
                "p_value": Decimal128("0.05"),
            },
            "data_files": [_data_file()],
            "created_at": datetime(2000, 3, 8, 9, 0, 0, 120000, tzinfo=UTC),
            "updated_at": datetime(2021, 6, 7, tzinfo=UTC),
        }
        | fields,
    )


def _data_file(**fields: Any) -> Document:
    checksum = {"algorithm": "SHA256", "value": "AB" * 32}
    return {
        "name": "a.csv",
        "location": "s3://elsewhere/a.csv",
        "size": Int64(2**40),
        "checksum": checksum,
        "experiment_id": EXPERIMENT,
    } | fields


def _versions() -> Iterator[Document]:
    """Yield papers that share a PubMed number in one export, and some that only seem to."""
    old, new = (datetime(year, 1, 1, tzinfo=UTC) for year in (2019, 2020))
    for number, fields in enumerate(
        (
            {"pmid": "7", "version": 1, "updated_at": new},
            {"pmid": 7, "version": Int64(3)},
            {"pmid": " 7 ", "version": 2.0},
            {"pmid": "7"},
            {"pmid": "8", "version": 1},
            {"pmid": "8", "version": 1, "updated_at": old},
            {"pmid": "8", "version": 1, "updated_at": new},
            {"pmid": "9", "updated_at": old},
            {"pmid": "9", "updated_at": old},
            {"pmid": ""},
            {"pmid": ""},
            {"pmid": None},
            {"pmid": "10", "title": None},
            {"pmid": "10"},
        ),
        500,
    ):
        yield paper(number, **fields)


def _lists() -> Iterator[Document]:
    """Yield papers whose lists are not all what they should be."""
    for number, (field, value) in enumerate(
        [
            (field, value)
            for field in ("authors", "keywords", "data_files")
            for value in ([], None, "text", {"0": "x"}, 5, True)
        ],
        600,
    ):
        yield paper(number, **{field: value})
    yield paper(
        700,
        authors=[
            "A Name Only",
            {"name": ""},
            {},
            None,
            5,
            {"name": {"family": "X"}},
            ["x"],
            {"name": "  Ü 測  "},
            {"name": "url", "orcid": "https://orcid.org/0000-0002-1694-233X"},
            {"orcid": "0000000218250097"},
            {"name": "n" * 300, "affiliation": "a" * 3000},
            {"name": "same"},
            {"name": "same"},
        ],
    )
    yield paper(701, authors=[{"name": f"Author {at}"} for at in range(1, 120)])
    yield paper(
        702,
        keywords=[
            "Alpha",
            "alpha",
            " ALPHA ",
            "",
            "  ",
            None,
            5,
            5.5,
            True,
            {"x": 1},
            ["y"],
            "Ärger",
            "ärger",
            "β",
            *TEXTS[:8],
        ],
    )
    yield paper(703, keywords=[f"keyword {at}" for at in range(1, 80)], title="T" * 1500)
    place = f"s3://{BUCKET}/"
    md5 = {
        "algorithm": "md5",
        "value": hashlib.md5(staged_body(), usedforsecurity=False).hexdigest(),
    }
    yield paper(
        704,
        data_files=[
            _data_file(location=place + MEASUREMENTS, checksum=md5),
            _data_file(
                location=place + MEASUREMENTS,
                checksum=md5 | {"algorithm": "MD5", "value": md5["value"].upper()},
            ),
            _data_file(location=place + MEASUREMENTS, checksum=md5 | {"value": "0" * 32}),
            _data_file(location=place + MEASUREMENTS),
            _data_file(location=place + MEASUREMENTS, checksum=None),
            _data_file(location=place + MEASUREMENTS, checksum="text"),
            _data_file(location=place + STAGED, checksum=md5),
            _data_file(location=None, experiment_id=None),
            _data_file(experiment_id="nobody"),
            _data_file(size=12),
            _data_file(size="12 kB"),
            {},
            None,
            "a.csv",
        ],
    )


def staged_body() -> bytes:
    """Return a file of measurements that papers point to."""
    return (
        b"measurement_id,experiment_id,location_id,measured_at,temperature,temperature_unit,"
        b"humidity,humidity_unit,pressure,pressure_unit,updated_at\n"
        b"of-a-paper,exp-jfk,JFK,2013-03-01T00:00:00Z,20,degC,,,,,2013-03-01T00:00:00Z\n"
    )


def awkward() -> list[Document]:
    """Return the papers of the first export."""
    documents = [full(1), paper(2), full(3, published=LONG_AGO, created_at=LONG_AGO, pmid="3")]
    documents += [paper(10 + at, published=date) for at, date in enumerate(DATES)]
    documents += [
        paper(50 + at, published=value)
        for at, value in enumerate([2013, Int64(2013), None, [], {"year": 2013}, True, ""])
    ]
    edges = (
        0,
        -1,
        1,
        999,
        1000,
        -62135596800000,
        -62135596800001,
        253402300799999,
        253402300800000,
        2**62,
    )
    documents += [
        paper(
            70 + at,
            published=DatetimeMS(edge),
            created_at=DatetimeMS(edge),
            updated_at="2020-01-01",
        )
        for at, edge in enumerate(edges)
    ]
    documents += [
        paper(100 + at, methodology={"p_value": Decimal128(text)})
        for at, text in enumerate(P_VALUES)
    ]
    documents += [
        paper(120 + at, methodology={"sample_size": value, "p_value": value}, version=value)
        for at, value in enumerate(NUMBERS)
    ]
    documents += [
        paper(
            150 + at,
            title=text,
            abstract=text,
            doi=text,
            journal={"title": text, "issn": text[:16]},
        )
        for at, text in enumerate(TEXTS)
    ]
    titles = (..., None, "", "  ", {}, {"en": "x"}, _LONG, ["x"], 42, 4.5, False)
    documents += [paper(200 + at, title=title) for at, title in enumerate(titles)]
    documents += [
        paper(230 + at, journal=value, methodology=value)
        for at, value in enumerate((None, "text", [], 5))
    ]
    return [*documents, *_versions(), *_lists()]


def written(documents: Sequence[Document], *, canonical: bool) -> str:
    """Return what mongoexport writes, by MongoDB's own library for Python."""
    options = json_util.CANONICAL_JSON_OPTIONS if canonical else json_util.RELAXED_JSON_OPTIONS
    return "".join(
        json_util.dumps(document, json_options=options, ensure_ascii=False, separators=(",", ":"))
        + "\n"
        for document in documents
    )


def export(exported_at: str, content: str, *, complete: bool = True) -> Iterator[StagedObject]:
    """Yield the objects of an export as of that time."""
    folder = f"literature/papers/exported_at={exported_at}/"
    yield StagedObject(folder + "papers.json.gz", gzip.compress(content.encode(), mtime=0))
    if complete:
        yield StagedObject(folder + "_SUCCESS", b"")


def first() -> Iterator[StagedObject]:
    """Yield a canonical export, and a file that its papers point to."""
    yield StagedObject(MEASUREMENTS, staged_body())
    odd = [{"_id": {"$oid": oid}, "title": "Odd id"} for oid in ("0" * 23, "A" * 24, "é", "x" * 90)]
    lines = "".join(json.dumps(document) + "\n" for document in odd)
    yield from export("20200101T000000Z", written(awkward(), canonical=True) + lines)


def later() -> Iterator[StagedObject]:
    """Yield newer exports in the relaxed form, a late one, and two as of the same time."""
    papers = awkward()
    kept = [document for document in papers if int(str(document["_id"]), 16) % 7]
    changed = [
        document | {"title": "Changed", "keywords": ["new"], "authors": []}
        if at % 5 == 0
        else document
        for at, document in enumerate(kept)
    ]
    yield from export("20200301T000000Z", written([*changed, full(1000)], canonical=False))
    # Late: what vanished from it was in the first one, and is in the newest one again.
    yield from export("20200201T000000Z", written([*papers[:-3], full(1001)], canonical=False))
    # As of the same time as the newest one, and before it by name: it does not count.
    yield from export("2020-03-01T00:00:00Z", written([*changed[:-2], full(1002)], canonical=True))
    # Not complete, so it is nothing.
    yield from export("20200401T000000Z", written(papers, canonical=True), complete=False)
