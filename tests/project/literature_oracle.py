"""The marts of papers computed from the exports in plain Python, by none of the product's code."""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

from loaders.demo.nycflights13 import StagedObject
from tests.project.dimension_oracle import hash_60_bits

Document = dict[str, Any]
Row = tuple[Any, ...]
Marts = dict[str, list[Row]]

KEY = re.compile(r"literature/papers/(exported_at=(.+?)/)papers\.json\.gz")
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
LISTS = ("authors", "keywords", "data_files")
BLANK = " "  # what SQL's trim takes away


class Number(str):
    """A number, as it is written."""


@dataclass
class Warehouse:
    """What papers point to: current keys of experiments, and what is loaded by place."""

    experiments: Mapping[str, int] = field(default_factory=dict)
    loaded: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # place: md5, table


def expect(objects: Iterable[StagedObject], warehouse: Warehouse) -> Marts:
    """Return the rows of each mart, in the order of its columns without those of the load."""
    staged = {item.key: item.body for item in objects}
    exports = {}
    for key in sorted(staged):
        found = KEY.fullmatch(key)
        if found and f"literature/papers/{found[1]}_SUCCESS" in staged:
            time = datetime.fromisoformat(found[2]).replace(tzinfo=None)
            exports[time] = _documents(staged[key])  # of several the last name counts
    marts: Marts = defaultdict(list)
    marts["dim_papers"].append(
        (-1, "(unknown)", None, None, None, "(unknown)", *[None] * 14, False, None, "(unknown)")
    )
    times = sorted(exports)
    last: dict[str, tuple[datetime, Document]] = {}
    for time in times:
        last |= {document["_id"]: (time, document) for document in exports[time]}
    for paper_id, (time, document) in last.items():
        deleted_at = next((later for later in times if later > time), None)
        reasons = _reasons(paper_id, document, exports[time])
        _add(marts, document, deleted_at, ",".join(reasons), warehouse)
    return marts


def _documents(body: bytes) -> list[Document]:
    lines = gzip.decompress(body).decode().split("\n")[:-1]
    return [
        json.loads(line, object_hook=_plain, parse_int=Number, parse_float=Number) for line in lines
    ]


def _plain(value: dict[str, Any]) -> Any:
    """Return what an Extended JSON object stands for."""
    match list(value.items()):
        case [("$oid", text)]:
            return text
        case [("$numberInt" | "$numberLong" | "$numberDouble" | "$numberDecimal", text)]:
            return Number(text)
        case [("$date", Number() as text)]:
            milliseconds = int(text)
            if not -62135596800000 <= milliseconds <= 253402300799999:
                return {"date": "out of range"}
            return datetime(1970, 1, 1) + timedelta(milliseconds=milliseconds)
        case [("$date", str() as text)]:
            return datetime.fromisoformat(text).replace(tzinfo=None)
    return value


def _text(value: Any) -> str | None:
    """Return a scalar as text, null where nothing is left of it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.strip(BLANK) or None if isinstance(value, str) else None


def _inside(document: Document, *names: str) -> Any:
    value: Any = document
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _whole(value: Any) -> int | None:
    text = str(value) if isinstance(value, str) else ""
    if re.fullmatch(r"[+-]?[0-9]{1,18}(\.0*)?", text):
        return int(text.partition(".")[0])
    if re.fullmatch(r"[+-]?[0-9]{1,15}(\.[0-9]*)?[eE]\+?[0-9]{1,2}", text):
        number = Decimal(text)
        if abs(number) <= 2**53 and number == number.to_integral_value():
            return int(number)
    return None


def _exact(value: Any) -> Decimal | None:
    text = str(value) if isinstance(value, str) else ""
    if not re.fullmatch(r"[+-]?([0-9]{1,9}(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?", text):
        return None
    number = Decimal(text)
    if abs(number) >= 999_999_999:
        return None
    return number.quantize(Decimal("1e-8"), rounding=ROUND_DOWN)


def _reasons(paper_id: str, document: Document, export: Sequence[Document]) -> list[str]:
    reasons = [] if re.fullmatch("[0-9a-f]{24}", paper_id) else ["invalid_paper_id"]
    title = document.get("title")
    if isinstance(title, dict | list):
        reasons.append("invalid_title")
    elif _text(title) is None:
        reasons.append("missing_title")
    pmid = _text(document.get("pmid"))
    same = [other for other in export if pmid and _text(other.get("pmid")) == pmid]
    if same and min(same, key=_precedence)["_id"] != paper_id:
        reasons.append("duplicate_pmid")
    for name in LISTS:
        if document.get(name) is not None and not isinstance(document[name], list):
            reasons.append(f"{name}_not_a_list")
    return reasons


def _precedence(document: Document) -> tuple[Any, ...]:
    """Order the documents of one PubMed number, the one that counts first."""
    version, updated = _whole(document.get("version")), document.get("updated_at")
    known = isinstance(updated, datetime)
    time = (updated - datetime.min).total_seconds() if known else 0
    return (version is None, -(version or 0), not known, -time, document["_id"])


def _add(
    marts: Marts, document: Document, deleted_at: datetime | None, reasons: str, found: Warehouse
) -> None:
    paper_id = document["_id"]
    key = hash_60_bits(paper_id)
    pmid = _text(document.get("pmid"))
    pmid = pmid and pmid[:32]
    version = _whole(document.get("version"))
    title = _text(document.get("title"))
    deleted = (deleted_at is not None, deleted_at)
    if reasons:
        marts["quarantined_papers"].append((key, paper_id, pmid, version, title, reasons, *deleted))
        return
    authors = _authors(document)
    keywords = _keywords(document)
    abstract, journal = (
        _text(document.get("abstract")),
        _text(_inside(document, "journal", "title")),
    )
    journal = journal and journal[:512]
    parts = (
        (title or "")[:1000],
        " ".join(name for _, name, _, _ in authors[:50] if name)[:5000],
        " ".join(keyword for keyword, _, at in keywords if at <= 50)[:3000],
        journal or "",
        (abstract or "")[:6000],
    )
    p_value = _inside(document, "methodology", "p_value")
    marts["dim_papers"].append(
        (
            key, paper_id, pmid, version, _cut(document.get("doi"), 256), title, abstract, journal,
            _cut(_inside(document, "journal", "issn"), 16), _cut(document.get("language"), 16),
            _cut(_inside(document, "methodology", "design"), 256),
            _whole(_inside(document, "methodology", "sample_size")), _exact(p_value),
            _raw(p_value), *_published(document.get("published")),
            *(_time(document.get(name)) for name in ("created_at", "updated_at")),
            *deleted, " ".join(parts).lower(),
        )
    )  # fmt: skip
    for at, name, affiliation, orcid in authors:
        marts["bridge_paper_authors"].append(
            (hash_60_bits(f"{paper_id}|{at}"), key, paper_id, at, name, affiliation, orcid)
        )
    for keyword, source, at in keywords:
        marts["bridge_paper_keywords"].append(
            (hash_60_bits(f"{paper_id}|{keyword}"), key, paper_id, keyword, source, at)
        )
    for at, element in enumerate(document.get("data_files") or [], 1):
        row = _data_file(element if isinstance(element, dict) else {}, found)
        marts["paper_data_files"].append(
            (hash_60_bits(f"{paper_id}|{at}"), key, paper_id, at, *row)
        )


def _cut(value: Any, length: int) -> str | None:
    text = _text(value)
    return text and text[:length]


def _raw(value: Any) -> str | None:
    """Return a scalar as it is written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value[:64] if isinstance(value, str) else None


def _time(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None


def _published(value: Any) -> tuple[date | None, str | None, int | None, int | None]:
    """Return day, text, year and month."""
    if isinstance(value, datetime):
        return value.date(), None, value.year, value.month
    text = _text(value)
    if text is None:
        return None, None, None, None
    day = None
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        try:
            day = date.fromisoformat(text)
        except ValueError:
            day = None
    if day:
        return day, text, day.year, day.month
    year = re.search(r"(?<!\d)\d{4}(?!\d)", text, re.ASCII)
    month = None
    if found := re.match(r"\d{4}-(0[1-9]|1[0-2])(?!\d)", text):
        month = int(found[1])
    elif found := re.match(rf"\d{{4}} ({'|'.join(MONTHS)})", text) or re.match(
        rf"({'|'.join(MONTHS)}).*\D\d{{4}}(?!\d)", text
    ):
        month = MONTHS.index(found[1]) + 1
    return None, text[:256], int(year[0]) if year else None, month


def _authors(document: Document) -> list[tuple[int, str | None, str | None, str | None]]:
    found = []
    for at, element in enumerate(document.get("authors") or [], 1):
        author = element if isinstance(element, dict) else {"name": element}
        orcid = _text(author.get("orcid"))
        if orcid:
            tail = re.search(r"(\d{4}-){3}\d{3}[\dX]$", orcid)
            orcid = tail[0] if tail else orcid[:64]
        found.append((at, _cut(author.get("name"), 256), _text(author.get("affiliation")), orcid))
    return found


def _keywords(document: Document) -> list[tuple[str, str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for at, element in enumerate(document.get("keywords") or [], 1):
        text = _text(element)
        if text:
            found.setdefault(text.lower()[:256], (text[:256], at))
    return [(keyword, *rest) for keyword, rest in found.items()]


def _data_file(element: Document, found: Warehouse) -> Row:
    place = _cut(element.get("location"), 1100)
    algorithm, checksum = (
        _text(_inside(element, "checksum", name)) for name in ("algorithm", "value")
    )
    algorithm, checksum = algorithm and algorithm.lower(), checksum and checksum.lower()
    experiment = _cut(element.get("experiment_id"), 64)
    md5, table = found.loaded.get(place or "", (None, None))
    if md5 is None:
        state = "not_staged"
    elif algorithm != "md5":
        state = "checksum_unknown"
    else:
        state = "verified" if checksum == md5 else "checksum_differs"
    return (
        _cut(element.get("name"), 512), place, _whole(element.get("size")), algorithm, checksum,
        found.experiments.get(experiment or "", -1), experiment, state,
        table if state == "verified" else None, None,
    )  # fmt: skip
