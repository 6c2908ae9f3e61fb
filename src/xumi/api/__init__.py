"""The application: features, pipeline and documentation put together.

`create_app()` is what a server runs: `uvicorn --factory xumi.api:create_app`.
"""

from xumi.api.application import Application, create_app, prepare

__all__ = ["Application", "create_app", "prepare"]
