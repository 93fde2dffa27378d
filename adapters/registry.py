"""Evaluators by name, found through the entry-point group ``assayloop.evaluators``.

Built-ins come through the same door as plug-ins. An entry point names a class or function that
makes an evaluator from keyword options, or an evaluator that is ready (a decorated function).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint
from typing import Any

from adapters.messages import known, quote
from adapters.plugins import installed
from adapters.protocol import Evaluator, EvaluatorError, OptionError

GROUP = "assayloop.evaluators"


def names() -> tuple[str, ...]:
    """Names of all evaluators that are installed, sorted; imports none of them."""
    return tuple(dict.fromkeys(point.name for point in installed(GROUP)))


def create(name: str, options: Mapping[str, object]) -> Evaluator:
    """The evaluator of that name, made with these options.

    Raises:
        OptionError: an option is unknown, missing or of a wrong type.
        EvaluatorError: no evaluator has that name, two packages have it, or its code cannot be
            loaded.
    """
    if ":" in name:  # a function of the user's own, as a spec may name it in the place of a package
        return create("python", {"function": name, **options})
    target = _load(_entry_point(name))
    return build(target, name, options)


def options(name: str) -> dict[str, bool]:
    """Options of the evaluator of that name, and whether each is needed; none of a ready one.

    Raises:
        EvaluatorError: no evaluator has that name, two packages have it, or its code cannot be
            loaded.
    """
    target = _load(_entry_point(name))
    if not callable(target) or (isinstance(target, Evaluator) and not isinstance(target, type)):
        return {}
    accepted = inspect.signature(target, eval_str=True).parameters.values()
    keywords = [
        one for one in accepted if one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    return {one.name: one.default is one.empty for one in keywords}


def build(target: object, name: str, options: Mapping[str, object]) -> Evaluator:
    """An evaluator from what an entry point names, with options checked against its signature.

    Raises:
        OptionError: an option is unknown, missing or of a wrong type.
        EvaluatorError: the target gives no evaluator.
    """
    made: object
    if isinstance(target, Evaluator) and not isinstance(target, type):
        if options:
            option, value = next(iter(options.items()))
            raise OptionError(
                option, f"evaluator {name!r} takes no options, {option!r} is {quote(value)}"
            )
        made = target
    elif callable(target):
        made = _call(target, name, _checked(target, name, options))
    else:
        made = target
    if not isinstance(made, Evaluator):
        raise EvaluatorError(
            f"entry point {name!r} of {GROUP} gives {quote(made)}, which is no evaluator: "
            f"it lacks {', '.join(_lacking(made))}"
        )
    return made


def _entry_point(name: str) -> EntryPoint:
    found = {point.value: point for point in installed(GROUP, name)}
    if not found:
        raise EvaluatorError(f"there is no evaluator {name!r}; {known(name, names())}")
    if len(found) > 1:
        owners = sorted(f"{p.dist.name if p.dist else '?'} ({value})" for value, p in found.items())
        raise EvaluatorError(
            f"evaluator {name!r} is given by more than one package: {', '.join(owners)}; "
            "uninstall all but one"
        )
    return next(iter(found.values()))


def _load(point: EntryPoint) -> object:
    try:
        return point.load()
    except Exception as error:  # a plug-in's import runs its author's code
        raise EvaluatorError(
            f"evaluator {point.name!r} cannot be loaded from {point.value}: "
            f"{type(error).__name__}: {error}"
        ) from error


def _call(factory: Callable[..., Any], name: str, options: Mapping[str, object]) -> object:
    try:
        return factory(**options)
    except EvaluatorError:
        raise
    except Exception as error:  # as above
        raise EvaluatorError(
            f"evaluator {name!r} cannot be made with {quote(dict(options))}: "
            f"{type(error).__name__}: {error}"
        ) from error


def _checked(
    factory: Callable[..., Any], name: str, options: Mapping[str, object]
) -> dict[str, object]:
    """The options as the types of the factory's keywords want them (text as a path, say)."""
    accepted = inspect.signature(factory, eval_str=True).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in accepted.values())
    keywords = {
        key: p for key, p in accepted.items() if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)
    }
    for option, value in options.items():
        if option not in keywords and not open_ended:
            raise OptionError(
                option,
                f"evaluator {name!r} has no option {option!r} (given: {quote(value)}); "
                f"{known(option, keywords)}",
            )
    for option, keyword in keywords.items():
        if keyword.default is keyword.empty and option not in options:
            raise OptionError(option, f"evaluator {name!r} needs the option {option!r}")
    return {
        option: _typed(name, option, value, keywords[option].annotation)
        if option in keywords
        else value
        for option, value in options.items()
    }


def _typed(name: str, option: str, value: object, annotation: Any) -> object:
    import pydantic  # here, so that reading names costs nothing

    if annotation is inspect.Parameter.empty:
        return value
    try:
        return pydantic.TypeAdapter(annotation).validate_python(value)
    except pydantic.ValidationError as error:
        wanted = error.errors()[0]["msg"]
        raise OptionError(
            option,
            f"option {option!r} of evaluator {name!r} is {quote(value)}: "
            f"{wanted[:1].lower()}{wanted[1:]}",
        ) from error


def _lacking(made: object) -> list[str]:
    methods = ["capabilities", "check", "submit", "receive", "parse", "acknowledge", "cancel"]
    return [method for method in methods if not hasattr(made, method)]
