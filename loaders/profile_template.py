"""The Jinja in `profiles.yml`, rendered as dbt renders it (importing dbt would take two seconds).

Known are `env_var` and the filters `as_text`, `as_number`, `as_bool` and `as_native`. A value
is evaluated only where one of the last three asks for it: a password `0123` stays text.
"""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.nativetypes import NativeEnvironment

from loaders.errors import UsageError


class _Native(str):
    """Text to be evaluated; its subclasses say what may come out."""

    __slots__ = ()
    wanted = "value"

    def accepts(self, result: object) -> bool:
        return True


class _Bool(_Native):
    __slots__ = ()
    wanted = "bool (True or False)"

    def accepts(self, result: object) -> bool:
        return isinstance(result, bool)


class _Number(_Native):
    __slots__ = ()
    wanted = "number"

    def accepts(self, result: object) -> bool:
        return isinstance(result, int | float) and not isinstance(result, bool)


def render(value: Any, environment: Mapping[str, str], where: str) -> Any:
    """Render every text in `value`, a tree of mappings and lists.

    `where` names file and key for messages, which never hold a value: it may be a secret.
    Raises UsageError for an unset variable, for a name that is not known here, and for text that
    a filter cannot convert.
    """
    if isinstance(value, Mapping):
        return {key: render(item, environment, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [render(item, environment, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, date):
        return value.isoformat()
    return _render_text(value, environment, where) if isinstance(value, str) else value


def _render_text(text: str, environment: Mapping[str, str], where: str) -> Any:
    def env_var(name: str, default: str | None = None) -> str:
        found = environment.get(name, default)
        if found is None:
            raise UsageError(
                f"{where}: the environment variable {name} is not set. Set it, or choose another "
                "--target."
            )
        return found

    jinja = NativeEnvironment(undefined=StrictUndefined)
    jinja.filters |= {"as_text": str, "as_native": _Native, "as_bool": _Bool, "as_number": _Number}
    try:
        template = jinja.from_string(text)
        context = template.new_context({"env_var": env_var})
        return _joined(template.root_render_func(context), where)
    except TemplateSyntaxError as error:
        if where.endswith((".password", ".pass")):
            return text  # a password may look like Jinja; dbt takes it as it is
        raise UsageError(f"{where}: line {error.lineno} of the value is not valid Jinja") from None
    except TemplateError as error:
        raise UsageError(f"{where}: {error.message}") from None


def _joined(nodes: Iterable[Any], where: str) -> Any:
    values = list(nodes)
    if len(values) != 1:
        return "".join(map(str, values))
    (value,) = values
    if isinstance(value, StrictUndefined):
        str(value)  # raises, with the name
    if not isinstance(value, _Native):
        return value
    try:
        result = literal_eval(value)
    except (ValueError, SyntaxError):
        result = str(value)
    if not value.accepts(result):
        raise UsageError(f"{where}: the value is no {value.wanted}")
    return result
