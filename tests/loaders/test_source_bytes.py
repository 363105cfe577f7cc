"""Gzip as its format allows it, in whatever pieces it is read: zlib and gzip write it."""

from __future__ import annotations

import gzip
import io
import struct
import zlib

import pytest

from loaders.formats.source_bytes import BLOCK_BYTES, plain_blocks

FHCRC, FEXTRA, FNAME, FCOMMENT = 2, 4, 8, 16
PLAIN = b"id,t\n1,2\n" * 3


class Dripping(io.BytesIO):
    """Gives so many bytes at once, at most."""

    def __init__(self, content: bytes, most: int) -> None:
        super().__init__(content)
        self._most = most

    def read(self, size: int | None = -1) -> bytes:
        """See io.BytesIO."""
        return super().read(self._most if size is None or size < 0 else min(size, self._most))


def member(flags: int, plain: bytes) -> bytes:
    """Return a gzip member with these optional fields (RFC 1952)."""
    header = b"\x1f\x8b\x08" + bytes([flags]) + struct.pack("<I", 7) + b"\0\xff"
    if flags & FEXTRA:
        header += struct.pack("<H", 300) + b"e" * 300
    if flags & FNAME:
        header += b"rows.csv\0"
    if flags & FCOMMENT:
        header += b"of the night\0"
    if flags & FHCRC:
        header += struct.pack("<H", zlib.crc32(header) & 0xFFFF)
    body = zlib.compressobj(6, wbits=-15)
    trailer = struct.pack("<II", zlib.crc32(plain), len(plain))
    return header + body.compress(plain) + body.flush() + trailer


@pytest.mark.parametrize("most", [1, 5, BLOCK_BYTES])
def test_every_header_is_read_whole_or_in_pieces(most: int) -> None:
    kinds = range(0, 32, 2)
    content = b"".join(member(flags, PLAIN) for flags in kinds)
    assert gzip.decompress(content) == PLAIN * len(kinds)
    assert b"".join(plain_blocks(Dripping(content, most))) == PLAIN * len(kinds)


@pytest.mark.parametrize("flags", [0, FNAME, FHCRC, FNAME | FCOMMENT, FEXTRA | FNAME | FHCRC])
def test_a_header_across_the_end_of_a_block_is_read(flags: int) -> None:
    for before in range(BLOCK_BYTES - 24, BLOCK_BYTES):
        first = gzip.compress(b"x" * (before - 23), 0)  # stored: 23 bytes more
        assert len(first) == before
        content = io.BytesIO(first + member(flags, PLAIN))
        assert b"".join(plain_blocks(content)).endswith(b"x" + PLAIN)


def test_blocks_stay_small() -> None:
    packed = gzip.compress(b"0" * 10_000_000)
    sizes = list(map(len, plain_blocks(io.BytesIO(packed * 2))))
    assert sum(sizes) == 20_000_000
    assert max(sizes) <= BLOCK_BYTES
