"""What the import of FastAPI leaves for later, and that it is there when it is asked for."""

import json
import subprocess
import sys

CODE = """
import json, sys
from xumi.kernel.fastapi_import import import_fastapi

import_fastapi()
from fastapi.openapi.models import Link, OpenAPI
from pydantic import BaseModel

class Own(BaseModel):
    number: int

late = not Link.__pydantic_complete__
document = OpenAPI(openapi="3.1.0", info={"title": "x", "version": "1"}, paths={})
import_fastapi()
print(json.dumps([late, Own.__pydantic_complete__, BaseModel.model_config, document.info.title, Link(operationId="a").operationId]))
"""


def test_models_of_documents_are_built_when_they_are_used_and_other_models_at_once() -> None:
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    late, own_is_complete, config, title, operation = json.loads(run.stdout)
    assert (late, own_is_complete, config, title, operation) == (True, True, {}, "x", "a")


def test_an_application_is_made_without_the_first_pydantic() -> None:
    code = "import sys, xumi.api; from xumi.kernel.modules import discover; discover(['xumi.modules']); print('pydantic.v1' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
