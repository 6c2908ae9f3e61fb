"""msgspec structs as bodies and answers of handlers, read and written by msgspec itself:

    async def add(body: NewPoster) -> PosterView:       # both are msgspec.Struct

FastAPI knows no structs. It sees a dependency that reads the body in the parameter's place, and the struct's schema is put
into the OpenAPI document afterwards. So a route does the same whether it runs compiled or on FastAPI's own path.
"""

import inspect
import re
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, get_args, get_origin

import msgspec
from fastapi import Depends
from starlette.requests import ClientDisconnect, Request

from xumi.kernel.auth.field import needs_permission
from xumi.kernel.errors import APICode, APIException, FieldError, StartError

_WHERE = re.compile(r" - at (?:`key` in )?`\$?\.?(?P<path>[^`]*)`$")
_NAMED = re.compile(r"(?:required|unknown) field `(?P<name>[^`]*)`")


class Structs(NamedTuple):
    """The structs of a handler.

    Attributes:
        signature: what FastAPI is to see.
        body: the struct that it takes, or None.
        answer: the struct, or list of structs, that it says to return, or None.
    """

    signature: inspect.Signature
    body: type[msgspec.Struct] | None
    answer: Any


def find_structs(endpoint: Callable[..., Any], label: str) -> Structs:
    """The structs among a handler's annotations.

    Args:
        endpoint: the handler.
        label: the route's path, for messages.

    Raises:
        StartError: two parameters are structs, or one has a default.
    """
    declared = inspect.signature(endpoint)
    try:
        signature = inspect.signature(endpoint, eval_str=True)
    except NameError:
        # FastAPI leaves such annotations alone too, and complains where it needs them.
        signature = declared
    bodies = [each for each in signature.parameters.values() if _is_struct(each.annotation)]
    answer = signature.return_annotation
    _refuse_guarded(answer, label)
    is_answer = _is_struct(answer) or (get_origin(answer) is list and _is_struct(get_args(answer)[0]))
    if not bodies:
        return Structs(declared, None, answer if is_answer else None)
    (body, *others) = bodies
    if others or body.default is not inspect.Parameter.empty:
        raise StartError(f"{label}: a handler takes one msgspec struct, its body, and without a default.")
    dependency = Annotated[Any, Depends(_reader(body.annotation))]
    parameters = [
        each.replace(annotation=dependency) if each is body else each
        for each in signature.parameters.values()
    ]
    return Structs(signature.replace(parameters=parameters), body.annotation, answer if is_answer else None)


def encode_answer(result: Any, answer: Any) -> bytes:
    """JSON of what a handler returned, with the declared struct's fields and no others.

    Raises:
        msgspec.ValidationError: it cannot be made such a struct.
    """
    if type(result) is not answer:
        result = msgspec.convert(result, answer, from_attributes=True)
    return msgspec.json.encode(result)


def add_schemas(document: dict[str, Any], found: dict[tuple[str, str], Structs]) -> None:
    """Put the schemas of structs into an OpenAPI document, by path and method of their operations."""
    types = [
        kind for structs in found.values() for kind in (structs.body, structs.answer) if kind is not None
    ]
    if not types:
        return
    known = document.setdefault("components", {}).setdefault("schemas", {})
    _, components = msgspec.json.schema_components(types)
    # A pydantic model may have the name of a struct.
    prefix = "Struct." if components.keys() & known.keys() else ""
    template = f"#/components/schemas/{prefix}{{name}}"
    schemas, components = msgspec.json.schema_components(types, ref_template=template)
    known |= {f"{prefix}{name}": schema for name, schema in components.items()}
    remaining = iter(schemas)
    for (path, method), structs in found.items():
        operation = document["paths"].get(path, {}).get(method.lower(), {"responses": {}})
        if structs.body is not None:
            content = {"application/json": {"schema": next(remaining)}}
            operation["requestBody"] = {"required": True, "content": content}
        if structs.answer is not None:
            schema = next(remaining)
            for status, response in operation["responses"].items():
                if status.startswith("2") and "application/json" in response.get("content", {}):
                    response["content"]["application/json"]["schema"] = schema


def _is_struct(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, msgspec.Struct)


def _refuse_guarded(answer: Any, label: str) -> None:
    """A struct is sent as it is: a field that needs a permission would go to everybody."""
    kind = get_args(answer)[0] if get_origin(answer) is list else answer
    if not _is_struct(kind):
        return
    for field in msgspec.structs.fields(kind):
        if any(needs_permission(each) for each in getattr(field.type, "__metadata__", ())):
            raise StartError(
                f"{label}: {kind.__name__}.{field.name} needs a permission, which a struct cannot ask for: use a schema."
            )


def _reader(kind: type[msgspec.Struct]) -> Callable[..., Any]:
    decode = msgspec.json.Decoder(kind).decode

    async def read_struct(request: Request) -> Any:
        try:
            return decode(await request.body())
        except msgspec.ValidationError as error:
            raise APIException(APICode.VALIDATION_FAILED, errors=[_field_error(str(error))]) from error
        except msgspec.DecodeError as error:
            reason = str(error).removeprefix("JSON is malformed: ")
            raise APIException(APICode.INVALID_JSON, reason=reason[:1].lower() + reason[1:]) from error
        except RecursionError as error:
            raise APIException(APICode.INVALID_JSON, reason="it is nested too deeply") from error
        except UnicodeDecodeError as error:
            raise APIException(APICode.INVALID_ENCODING) from error
        except ClientDisconnect as error:
            raise APIException(APICode.BAD_REQUEST) from error

    return read_struct


def _field_error(message: str) -> FieldError:
    """msgspec's words with the field as all errors name it: `items.0.price` instead of `$.items[0].price`."""
    where = _WHERE.search(message)
    reason = message[: where.start()] if where else message
    path = re.sub(
        r"\[(\d+|\.\.\.)\]", lambda found: f".{found[1].replace('...', '*')}", where["path"] if where else ""
    )
    # What is missing or unknown is in its object, which is where msgspec says that it is.
    if named := _NAMED.search(reason):
        path = f"{path}.{named['name']}"
    return FieldError(path.strip(".") or "body", reason)
