"""The only place where an error code becomes an HTTP status, headers and a body.

Errors are raised anywhere below as `LmxdError`; Sanic's own (unknown path, wrong method, broken
HTTP) are translated here. Bodies come in five shapes: OpenAI's `{"error": {...}}`, LM Studio's and
Anthropic's, which are like it, Ollama's `{"error": "..."}`, and RFC 9457 problem documents for the
control API. What nobody foresaw is
`internal`: the traceback goes to the log, the client gets the request id to look for.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from functools import partial

import msgspec
from sanic import exceptions as sanic_errors
from sanic.handlers import ErrorHandler
from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.http.bodies import ACCEPT_PATCH
from schemas.errors import Code, DocumentError, LmxdError, PatchError, Problem, RequestError
from schemas.inference import Failed

_log = logging.getLogger(__name__)

STATUS: Mapping[Code, int] = {
    Code.INVALID_JSON: 400,
    Code.INVALID_REQUEST: 400,
    Code.UNSUPPORTED_PARAMETER: 400,
    Code.WRONG_TASK: 400,
    Code.CONTEXT_LENGTH_EXCEEDED: 400,
    Code.FORBIDDEN: 403,
    Code.MODEL_NOT_FOUND: 404,
    Code.MODEL_NOT_LOADED: 404,
    Code.NOT_FOUND: 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.FIELD_CONFLICT: 409,
    Code.ALIASED_NODE: 409,
    Code.FILE_NOT_WRITABLE: 409,
    Code.DOCUMENT_INVALID: 409,
    Code.DOCUMENT_HELD: 409,
    Code.PLAN_STALE: 409,
    Code.MODEL_LOADED: 409,
    Code.INSUFFICIENT_MEMORY: 409,
    Code.GONE: 410,
    Code.PRECONDITION_FAILED: 412,
    Code.TOO_LARGE: 413,
    Code.UNSUPPORTED_MEDIA_TYPE: 415,
    Code.VALIDATION_FAILED: 422,
    Code.PRECONDITION_REQUIRED: 428,
    Code.CANCELLED: 499,  # not registered, but what proxies say of a request that was given up
    Code.INTERNAL: 500,
    Code.WORKER_DIED: 502,
    Code.QUEUE_FULL: 503,
    Code.MODEL_LOADING: 503,
    Code.NOT_ADMITTED: 503,
    Code.OUTSIDE_WINDOW: 503,
    Code.SUSPENDED: 503,
    Code.MODEL_FAILED: 503,
    Code.MODEL_DRAINING: 503,
    Code.THRASHING: 503,
    Code.SHUTTING_DOWN: 503,
    Code.DEADLINE_EXCEEDED: 504,
}

RETRY_AFTER_MAX_S = 60  # the official clients ignore a longer advice
_RETRY_AFTER_S: Mapping[Code, int] = {
    Code.QUEUE_FULL: 2,
    Code.MODEL_LOADING: 5,
    Code.OUTSIDE_WINDOW: RETRY_AFTER_MAX_S,
    Code.MODEL_DRAINING: 2,
    Code.SHUTTING_DOWN: 5,
}
_RETRY_AFTER_DEFAULT_S = 30

JSON = "application/json"
PROBLEM = "application/problem+json"

Body = dict[str, object]
Shape = Callable[[LmxdError], Body]


def status_of(code: Code) -> int:
    """The HTTP status of a code."""
    return STATUS[code]


def headers_of(error: LmxdError) -> dict[str, str]:
    """What an error says in headers: when to come back, and whether coming back helps."""
    headers: dict[str, str] = {}
    if status_of(error.code) in {429, 503}:
        headers["Retry-After"] = str(_retry_after_s(error))
    if isinstance(error, RequestError) and not error.retry:
        headers["x-should-retry"] = "false"
    return headers


def _retry_after_s(error: LmxdError) -> int:
    advice = error.retry_after_s if isinstance(error, RequestError) else None
    if advice is None:
        return _RETRY_AFTER_S.get(error.code, _RETRY_AFTER_DEFAULT_S)
    return min(max(math.ceil(advice), 1), RETRY_AFTER_MAX_S)


def openai_body(error: LmxdError) -> Body:
    """OpenAI's shape. `error` is always an object with message, type, param and code."""
    inner: Body = {
        "message": _writable(error.message),
        "type": _openai_type(status_of(error.code)),
        "param": error.param if isinstance(error, RequestError) else None,
        "code": str(error.code),
    }
    return {"error": inner | _more(error)}


def _openai_type(status: int) -> str:
    if status >= 500:
        return "server_error"
    return "permission_error" if status == 403 else "invalid_request_error"


def lmstudio_body(error: LmxdError) -> Body:
    """LM Studio's shape: `type` is one of the few words its clients know, `code` is ours."""
    inner: Body = {
        "type": _lmstudio_type(error),
        "message": _writable(error.message),
        "code": str(error.code),
    }
    if isinstance(error, RequestError) and error.param:
        inner["param"] = _writable(error.param)
    return {"error": inner | _more(error)}


def _lmstudio_type(error: LmxdError) -> str:
    if error.code in (Code.MODEL_NOT_FOUND, Code.MODEL_NOT_LOADED):
        return "model_not_found"
    if isinstance(error, RequestError) and error.param == "job_id":
        return "job_not_found"
    return "internal_error" if status_of(error.code) >= 500 else "invalid_request"


def anthropic_body(error: LmxdError, request_id: str | None = None) -> Body:
    """Anthropic's shape: `type` is one of its words, the code stands in `details`."""
    inner: Body = {
        "type": _ANTHROPIC_TYPES.get(anthropic_status(error.code)) or _anthropic_type(error),
        "message": _writable(error.message),
        "details": {"error_code": str(error.code)},
    }
    if isinstance(error, RequestError) and error.param:
        inner["param"] = _writable(error.param)
    return {"type": "error", "error": inner | _more(error), "request_id": request_id}


def anthropic_status(code: Code) -> int:
    """The HTTP status of a code there: what has no place now is overloaded."""
    status = status_of(code)
    return _OVERLOADED if status == 503 else status


_OVERLOADED = 529
_ANTHROPIC_TYPES: Mapping[int, str] = {
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    _OVERLOADED: "overloaded_error",
}


def _anthropic_type(error: LmxdError) -> str:
    return "api_error" if status_of(error.code) >= 500 else "invalid_request_error"


def ollama_body(error: LmxdError) -> Body:
    """Ollama's shape: one sentence, with what to do; `code` is ours."""
    return {"error": _writable(str(error)), "code": str(error.code)}


def problem_body(error: LmxdError) -> Body:
    """An RFC 9457 problem document; `code` is the stable name, `detail` the sentence.

    A document that is not valid lists its `problems`, with line and column in the text that the
    file would have had.
    """
    body: Body = {
        "type": f"urn:lmxd:error:{error.code}",
        "title": str(error.code).replace("_", " ").capitalize(),
        "status": status_of(error.code),
        "detail": _writable(error.message),
        "code": str(error.code),
    }
    if isinstance(error, RequestError) and error.param:
        body["param"] = _writable(error.param)
    if isinstance(error, PatchError):
        body["pointer"] = _writable(error.pointer)
    if isinstance(error, DocumentError):
        body["reason"] = error.reason
        body["problems"] = [_problem(problem) for problem in error.problems]
    return body | _more(error)


def _problem(problem: Problem) -> Body:
    return {
        "pointer": _writable(problem.pointer),
        "message": _writable(problem.message),
        "hint": _writable(problem.hint) if problem.hint else None,
        "line": problem.line,
        "column": problem.column,
    }


def _more(error: LmxdError) -> Body:
    """Members both shapes share and only some errors have."""
    more: Body = {}
    if error.hint:
        more["hint"] = _writable(error.hint)
    if isinstance(error, RequestError):
        if error.available_at:
            more["available_at"] = error.available_at
        more |= error.details
    return more


def _writable(text: str) -> str:
    """File names and headers may hold bytes that are no text; JSON cannot."""
    return text.encode("utf-8", "backslashreplace").decode()


def of_failed(event: Failed) -> RequestError:
    """A generation's own failure as the error that clients see."""
    try:
        code = Code(event.code)
    except ValueError:
        code = Code.INTERNAL
    return RequestError(code, event.message, hint=event.hint, retry=event.retryable)


def internal(request_id: str) -> RequestError:
    """What a client sees of a defect: no traceback, but the id under which it was logged."""
    return RequestError(
        Code.INTERNAL,
        f"lmxd failed to answer request {request_id}",
        hint="the log of the daemon has the details under this id",
    )


def respond(error: LmxdError, shape: Shape, status: int | None = None) -> HTTPResponse:
    """The whole answer to a request that failed before anything was sent."""
    return HTTPResponse(
        msgspec.json.encode(shape(error)),
        status=status or status_of(error.code),
        headers=headers_of(error),
        content_type=PROBLEM if shape is problem_body else JSON,
    )


def shape_of(path: str) -> Shape:
    """The shape of errors at a path: problem documents, but where clients know another."""
    if path.startswith("/api/v1/"):
        return lmstudio_body
    if path.startswith("/api/") and path != "/api/health":
        return ollama_body
    return openai_body if path.startswith(("/v1", "/v2/")) else problem_body


def speaks_anthropic(request: Request) -> bool:
    """Whether answers that two APIs share have Anthropic's shape."""
    if request.path.startswith("/v1/messages"):
        return True
    return request.path.startswith("/v1") and "anthropic-version" in request.headers


class Errors(ErrorHandler):
    """Sanic's hook for every exception that leaves a handler or the router."""

    def __init__(self, identify: Callable[[Request], str]) -> None:
        super().__init__()
        self._identify = identify

    def response(self, request: Request, exception: Exception) -> HTTPResponse:
        """Translate, log what is our own fault, and answer."""
        request_id = self._identify(request)
        error = translate(request.path, exception)
        if error is None:
            _log.error(
                "request crashed",
                extra={"request_id": request_id, "path": request.path},
                exc_info=exception,
            )
            error = internal(request_id)
        if speaks_anthropic(request):
            shape = partial(anthropic_body, request_id=request_id)
            answer = respond(error, shape, anthropic_status(error.code))
        else:
            answer = respond(error, shape_of(request.path))
        if isinstance(exception, sanic_errors.MethodNotAllowed):
            answer.headers["Allow"] = exception.headers["Allow"]
        if error.code is Code.UNSUPPORTED_MEDIA_TYPE and request.method == "PATCH":
            answer.headers["Accept-Patch"] = ACCEPT_PATCH
        return answer


def translate(path: str, exception: BaseException) -> LmxdError | None:
    """The error to show for an exception; None for what nobody foresaw."""
    if isinstance(exception, LmxdError):
        return exception
    if isinstance(exception, sanic_errors.RequestCancelled):  # the client is gone: nobody reads it
        return RequestError(Code.SHUTTING_DOWN, "the connection was closed")
    if isinstance(exception, sanic_errors.NotFound):
        hint = f"the OpenAI API is under /v1: did you mean /v1{path}?" if _misses_v1(path) else None
        return RequestError(Code.NOT_FOUND, f"there is nothing at {path}", hint=hint)
    if isinstance(exception, sanic_errors.MethodNotAllowed):
        return RequestError(
            Code.METHOD_NOT_ALLOWED, f"{exception.method} is not possible at {path}"
        )
    if isinstance(exception, sanic_errors.PayloadTooLarge):
        return RequestError(Code.TOO_LARGE, str(exception))
    if isinstance(exception, sanic_errors.SanicException) and exception.status_code < 500:
        return RequestError(Code.INVALID_REQUEST, str(exception))
    return None


def _misses_v1(path: str) -> bool:
    return path in {"/chat/completions", "/models"}
