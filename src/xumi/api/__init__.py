"""The application: features, pipeline and documentation put together.

`create_app()` is what a server runs: `uvicorn --factory xumi.api:create_app`.
"""

from xumi.kernel.fastapi_import import import_fastapi

import_fastapi()

from xumi.api.application import Application, create_app, prepare  # noqa: E402

__all__ = ["Application", "create_app", "prepare"]
