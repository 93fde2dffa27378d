"""The process in which somebody's function runs: a line in, a line out, and gone with its parent.

``python -m adapters.python_worker ./my_assay.py:reactor``
"""

from __future__ import annotations

import base64
import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from adapters.calculator import RejectedError
from adapters.function import FunctionEvaluator, parameters
from adapters.messages import plain, quote
from adapters.protocol import EvaluatorError, Sample


def main() -> None:
    """Answer until the parent closes its end."""
    from adapters.python_source import load

    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the function prints is no answer
    requests: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, requests), daemon=True).start()
    function: Any = None
    while True:
        line = requests.get()
        try:
            function = load(sys.argv[1]) if function is None else function
        except EvaluatorError as error:
            out.write(_line({"status": "failed", "reason": str(error)}))
        else:
            function = function() if isinstance(function, type) else function
            out.write(answer(function, line))
        out.flush()


def _listen(source: BinaryIO, requests: queue.Queue[bytes]) -> None:
    """Pass lines on; at the end of them the parent is gone, and so is this process."""
    for line in source:
        requests.put(line)
    os._exit(0)


def answer(function: Callable[[Any], object], line: bytes) -> bytes:
    """What a function gives for a request, as one line of JSON."""
    asked = json.loads(line)
    said, kind = asked["sample"], asked["sample"]["kind"]
    encoded = said.get("encoding") == "base64"
    content = base64.b64decode(said["content"]) if encoded else said["content"]
    sample = Sample(kind, content, said["name"])
    if isinstance(function, FunctionEvaluator):
        function = function.__wrapped__  # type: ignore[attr-defined]
    try:
        returned = function(parameters(sample) if kind == "parameters" else sample)
        if not isinstance(returned, Mapping):
            raise TypeError(f"it returned {quote(returned)}, and no dict of measures")
        readings = {str(name): _plain(value) for name, value in returned.items()}
        document: dict[str, object] = {"job": asked["job"], "readings": readings}
    except RejectedError as error:
        document = {"job": asked["job"], "status": "rejected", "reason": plain(str(error))}
    except EvaluatorError as error:
        document = {"job": asked["job"], "status": "failed", "reason": plain(str(error))}
        document["transient"] = error.transient
    except Exception as error:  # the author's code
        reason = plain(f"{type(error).__name__}: {error}".rstrip(": "))
        document = {"job": asked["job"], "status": "failed", "reason": reason}
    return _line(document)


def _line(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, sort_keys=True).encode() + b"\n"


def _plain(value: object) -> object:
    """A value as JSON writes it; numpy's and torch's scalars are numbers, NaN is a word."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, str | bool) or value is None:
        return value
    number = float(value)  # type: ignore[arg-type]
    if number != number:
        return "NaN"
    if number in (float("inf"), float("-inf")):
        return "Infinity" if number > 0 else "-Infinity"
    return number


if __name__ == "__main__":
    main()
