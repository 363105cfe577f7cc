"""The plain bytes of a staged object: gzip and the declared encoding undone, block by block."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Protocol

from isal import isal_zlib  # half of zlib's time

BLOCK_BYTES = 64 * 1024  # larger ones cost page faults: measured, a third slower
HEADER_BYTES = 2 * BLOCK_BYTES  # more than a gzip header's extra field and names have
GZIP = b"\x1f\x8b"


class ByteStream(Protocol):
    """What S3's GET body, a file and `io.BytesIO` have in common."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, b"" at the end."""


class SourceError(Exception):
    """The bytes end early or cannot be decoded; everything before that was already yielded."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def plain_blocks(stream: ByteStream) -> Iterator[bytes]:
    """Yield the object's bytes, decompressed when its first two bytes say gzip.

    Several gzip members in a row are one file, as gzip defines it. Blocks hold at most
    BLOCK_BYTES, however well the data was compressed. Raises `SourceError`.
    """
    first = stream.read(BLOCK_BYTES)
    if len(first) == 1:  # a stream may give less than asked for, and the magic needs two
        first += stream.read(BLOCK_BYTES)
    blocks = _blocks_from(first, stream)
    return _gunzipped(blocks) if first.startswith(GZIP) else blocks


def _blocks_from(first: bytes, stream: ByteStream) -> Iterator[bytes]:
    block = first
    while block:
        yield block
        block = stream.read(BLOCK_BYTES)


def _gunzipped(blocks: Iterator[bytes]) -> Iterator[bytes]:
    member = None
    for block in blocks:
        while block:  # what isal holds back comes with the member's last eight bytes at the latest
            if member is None or member.eof:
                block = _joined(block, blocks)
                if not GZIP.startswith(block[:2]):
                    raise SourceError(
                        "gzip_trailing_garbage", "bytes that are not gzip follow the gzip data"
                    )
                member = isal_zlib.decompressobj(wbits=31)
            try:
                plain = member.decompress(block, BLOCK_BYTES)
            except isal_zlib.error as error:  # type: ignore[misc] # it is a class, unlike its stub
                raise SourceError("gzip_corrupt", f"the gzip data is corrupt: {error}") from error
            if plain:
                yield plain
            block = member.unused_data if member.eof else member.unconsumed_tail
    if member is None or not member.eof:
        raise SourceError(
            "gzip_truncated", "the gzip data ends early: the upload was cut short; stage it again"
        )


def _joined(block: bytes, blocks: Iterator[bytes]) -> bytes:
    """Return the block with those behind it that may hold more of a member's header.

    ISA-L misreads some headers (two optional fields, or a check sum of its own) given in parts.
    """
    parts = [block]
    while sum(map(len, parts)) < HEADER_BYTES and (more := next(blocks, b"")):
        parts.append(more)
    return b"".join(parts)


def limited(blocks: Iterator[bytes], most: int | None) -> Iterator[bytes]:
    """Yield at most `most` bytes of `blocks`; raise `SourceError` if there are more."""
    done = 0
    for block in blocks:
        if most is not None and done + len(block) > most:
            if done < most:
                yield block[: most - done]
            raise SourceError(
                "file_too_large", f"the file holds more than {most} bytes decompressed"
            )
        done += len(block)
        yield block


def utf8_blocks(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Yield `blocks` of text in `encoding` as UTF-8 blocks. Raises `SourceError`."""
    decoder = codecs.getincrementaldecoder(encoding)()
    done = 0  # source bytes before the current block
    for block in blocks:
        pending = decoder.getstate()[0]
        try:
            text = decoder.decode(block)
        except UnicodeDecodeError as error:
            yield error.object[: error.start].decode(encoding).encode()
            at = done - len(pending) + error.start
            raise SourceError("invalid_encoding", f"byte {at} is not {encoding} text") from error
        done += len(block)
        yield text.encode()
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise SourceError("invalid_encoding", f"the last {encoding} character is cut") from error
