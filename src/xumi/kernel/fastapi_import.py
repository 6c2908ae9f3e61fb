"""The first import of FastAPI by a process that is about to serve."""

from pydantic import BaseModel, ConfigDict


def import_fastapi() -> None:
    """Import FastAPI, but let pydantic build its models of an OpenAPI document when a document is first written.

    They are a third of the import, and what they describe is asked for by people, minutes later or never. Where FastAPI has been
    imported already, nothing happens.
    """
    before = BaseModel.model_config
    BaseModel.model_config = ConfigDict(defer_build=True)
    try:
        import fastapi  # noqa: F401
    finally:
        BaseModel.model_config = before
