"""The text of COPY and UNLOAD to options; an option that is not known is refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.standin.errors import SqlError, refuse
from tests.standin.lexer import Cursor, Token, closing, split_commas

KEYS = ("CREDENTIALS", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")
IGNORED_WITH_VALUE = ("COMPUPDATE", "STATUPDATE")


@dataclass
class CopyOptions:
    """What a COPY says."""

    table: list[str]
    columns: list[str]
    bucket: str
    key: str
    role: str = ""
    format: str = "text"
    json_mode: str = "auto"
    compression: str = ""
    manifest: bool = False
    region: str = ""
    max_errors: int = 0
    no_load: bool = False
    delimiter: str = ","
    quote: str = '"'
    null_as: str = "\\N"
    skip_lines: int = 0
    date_format: str = ""
    time_format: str = ""
    invalid_char: str | None = None
    flags: set[str] = field(default_factory=set)


FLAGS = frozenset(
    ["EMPTYASNULL", "BLANKSASNULL", "TRIMBLANKS", "TRUNCATECOLUMNS", "FILLRECORD",
     "IGNOREBLANKLINES", "ROUNDEC", "SERIALIZETOJSON", "IGNOREALLERRORS"]
)  # fmt: skip


def parse_copy(tokens: Sequence[Token]) -> CopyOptions:
    """Read COPY table [(columns)] FROM 's3://...' options. Raises SqlError."""
    cursor = Cursor(tokens)
    cursor.expect("COPY")
    table = cursor.qualified_name()
    columns = [p[0].name for p in split_commas(cursor.group())] if cursor.peek("(") else []
    cursor.expect("FROM")
    options = CopyOptions(table, columns, *_s3_url(cursor.next()))
    while not cursor.done:
        _read_option(cursor, options)
    if not options.role:
        raise SqlError("42601", "COPY from S3 needs an authorization: IAM_ROLE default or an ARN")
    if options.format == "text":
        raise refuse("COPY of delimited text without FORMAT CSV")
    if options.format == "parquet" and (options.max_errors or options.no_load):
        raise SqlError("0A000", "MAXERROR and NOLOAD are not supported for FORMAT PARQUET")
    return options


def _s3_url(token: Token) -> tuple[str, str]:
    url = token.value if token.kind == "string" else ""
    if not url.startswith("s3://"):
        raise refuse(f"a source or target other than S3 ({url or token.text})")
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key


def _read_option(cursor: Cursor, options: CopyOptions) -> None:
    word = cursor.next().keyword
    if word == "FORMAT":
        cursor.accept("AS")
        _read_option(cursor, options)
    elif word == "CSV":
        options.format = "csv"
        if cursor.accept("QUOTE"):
            options.quote = _text(cursor)
    elif word == "PARQUET":
        options.format = "parquet"
    elif word == "JSON":
        options.format = "json"
        options.json_mode = _text(cursor)
        if options.json_mode not in ("auto", "auto ignorecase", "noshred"):
            raise refuse("COPY with a JSONPaths file")
    elif word in FLAGS:
        options.flags.add(word)
    elif word in KEYS or word == "WITH":
        raise refuse(f"{word} (authorize COPY by IAM_ROLE)" if word != "WITH" else "WITH")
    elif word == "IAM_ROLE":
        options.role = read_role(cursor)
    elif word in ("GZIP", "BZIP2", "ZSTD"):
        options.compression = word
    elif word == "MANIFEST":
        options.manifest = True
    elif word == "NOLOAD":
        options.no_load = True
    elif word == "MAXERROR":
        options.max_errors = _number(cursor)
    elif word == "IGNOREHEADER":
        options.skip_lines = _number(cursor)
    elif word in IGNORED_WITH_VALUE:
        if not (cursor.accept("ON") or cursor.accept("OFF") or cursor.accept("TRUE")):
            cursor.accept("FALSE")
    elif word == "ACCEPTINVCHARS":
        cursor.accept("AS")
        given = not cursor.done and cursor.tokens[cursor.at].kind == "string"
        options.invalid_char = cursor.next().value if given else "?"
    elif word in _TEXT_OPTIONS:
        setattr(options, _TEXT_OPTIONS[word], _text(cursor))
    elif word == "ENCODING":
        if _word_or_text(cursor).lower() not in ("utf8", "auto"):
            raise refuse("COPY ENCODING other than UTF8")
    else:
        raise refuse(f"COPY option {word or cursor.tokens[cursor.at - 1].text}")


_TEXT_OPTIONS = {
    "REGION": "region",
    "DELIMITER": "delimiter",
    "NULL": "null_as",
    "DATEFORMAT": "date_format",
    "TIMEFORMAT": "time_format",
}


def read_role(cursor: Cursor) -> str:
    """Read what follows IAM_ROLE: an ARN, or `default`."""
    return "default" if cursor.accept("DEFAULT") else _text(cursor)


def _text(cursor: Cursor) -> str:
    cursor.accept("AS")
    token = cursor.next()
    if token.kind != "string":
        raise SqlError("42601", f'syntax error at or near "{token.text}"', "expected a text")
    return token.value


def _word_or_text(cursor: Cursor) -> str:
    cursor.accept("AS")
    token = cursor.next()
    return token.value if token.kind == "string" else token.text


def _number(cursor: Cursor) -> int:
    cursor.accept("AS")
    return int(cursor.next().text)


@dataclass
class UnloadOptions:
    """What an UNLOAD says."""

    query: str
    bucket: str
    key: str
    role: str = ""
    format: str = "text"
    header: bool = False
    gzip: bool = False
    parallel: bool = True
    overwrite: bool = False
    clean: bool = False
    manifest: bool = False
    region: str = ""
    delimiter: str = ","
    null_as: str = ""


def parse_unload(tokens: Sequence[Token]) -> UnloadOptions:
    """Read UNLOAD ('query') TO 's3://...' options. Raises SqlError."""
    cursor = Cursor(tokens)
    cursor.expect("UNLOAD")
    end = closing(tokens, cursor.at)
    inside = cursor.group()
    if end != 3 or inside[0].kind != "string":
        raise SqlError("42601", "UNLOAD takes its query as a text in brackets")
    cursor.expect("TO")
    options = UnloadOptions(inside[0].value, *_s3_url(cursor.next()))
    while not cursor.done:
        word = cursor.next().keyword
        if word == "FORMAT":
            cursor.accept("AS")
        elif word in ("CSV", "PARQUET"):
            options.format = word.lower()
        elif word == "IAM_ROLE":
            options.role = read_role(cursor)
        elif word in ("HEADER", "GZIP", "MANIFEST"):
            setattr(options, word.lower(), True)
        elif word == "ALLOWOVERWRITE":
            options.overwrite = True
        elif word == "CLEANPATH":
            options.clean = True
        elif word == "PARALLEL":
            options.parallel = _word_or_text(cursor).lower() in ("on", "true")
        elif word in ("REGION", "DELIMITER", "NULL"):
            setattr(options, _TEXT_OPTIONS[word], _text(cursor))
        else:
            raise refuse(f"UNLOAD option {word or cursor.tokens[cursor.at - 1].text}")
    if not options.role:
        raise SqlError("42601", "UNLOAD needs an authorization: IAM_ROLE default or an ARN")
    if options.format == "text":
        raise refuse("UNLOAD of delimited text without FORMAT CSV")
    return options
