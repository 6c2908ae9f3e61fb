"""What is put around data and around errors; `API_ENVELOPE` names a project's own.

An envelope turns data or a failure into an HTTP status and a body, any object that msgspec can encode:

    class PlainEnvelope(Envelope):
        def success(self, status: int, data: object) -> tuple[int, object]:
            return status, {"error_code": 0, "msg": "ok", "data": data}
"""

from dataclasses import dataclass
from typing import Any

from xumi.kernel.errors import FieldError


@dataclass(frozen=True, slots=True)
class Failure:
    """All that a caller may know about an error.

    Attributes:
        status: HTTP status.
        code: the error's number, `<status><two digits>`.
        name: its stable name, for example `NOT_FOUND`.
        message: the text in the caller's language.
        request_id: the id under which the logs know the request.
        method, path: what was asked, without the query string.
        errors: the fields that were wrong.
    """

    status: int
    code: int
    name: str
    message: str
    request_id: str
    method: str
    path: str
    errors: tuple[FieldError, ...] = ()

    def problem(self) -> dict[str, Any]:
        """The same facts by RFC 9457 (`application/problem+json`)."""
        problem: dict[str, Any] = {
            "type": "about:blank",
            "title": self.name.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": self.message,
            "instance": self.path,
            "code": self.code,
            "request_id": self.request_id,
        }
        if self.errors:
            problem["errors"] = self.errors
        return problem


class Envelope:
    """Xumi's own envelope; a subclass overrides `success`, `failure` or both."""

    def success(self, status: int, data: object) -> tuple[int, object]:
        """Wrap what a handler returned; `data` can be encoded and may stand anywhere in the body."""
        return status, {"code": status, "message": "success", "data": data}

    def failure(self, failure: Failure) -> tuple[int, object]:
        """Render an error."""
        body: dict[str, Any] = {
            "status": "error",
            "code": failure.code,
            "message": failure.message,
            "request_id": failure.request_id,
            "request": f"{failure.method} {failure.path}",
            "data": None,
        }
        if failure.errors:
            body["errors"] = failure.errors
        return failure.status, body
