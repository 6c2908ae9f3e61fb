"""Is the process alive, is it ready, and how is it doing."""

import asyncio
import os
import time
from typing import Any

from fastapi import Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from xumi import __version__
from xumi.kernel import metrics
from xumi.kernel.context import current
from xumi.kernel.db.revisions import heads_reached
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.kernel.http.client_address import is_inside
from xumi.kernel.http.router import Router

_CHECK_SECONDS = 1.5
_STARTED_AT = time.time()

router = Router(tags=["monitoring"])


class Health(BaseModel):
    """The process answers."""

    status: str = Field(examples=["ok"])
    version: str = Field(examples=[__version__])


@router.get("/health", public=True, rate_limit=False)
@router.get("/api/v1/health", public=True, rate_limit=False)
async def get_health() -> Health:
    """Liveness: the process answers. Touches nothing."""
    return Health(status="ok", version=__version__)


class Readiness(BaseModel):
    """The process can serve; every check is `ok`."""

    status: str = Field(examples=["ready"])
    checks: dict[str, str] = Field(examples=[{"server": "ok", "database": "ok", "migrations": "ok"}])


@router.get("/readiness", public=True, rate_limit=False)
async def get_readiness() -> Readiness:
    """Readiness: the database and its replica answer, its migrations are at head, and the process is not stopping.

    Raises:
        APIException: UNAVAILABLE, with the checks that failed in `errors`.
    """
    resources = current().resources
    checks = {"server": "stopping" if resources.draining else "ok", "database": "ok", "migrations": "ok"}
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            if not await heads_reached(resources.database.read.runner):
                checks["migrations"] = "run `xumi db upgrade`"
    except Exception as error:
        # The reason is for operators, who read the log; the text may name hosts and users.
        checks["database"], checks["migrations"] = type(error).__name__, "unknown"
    if resources.database.replica is not None:
        answers = await resources.database.ping_replica(_CHECK_SECONDS)
        checks["replica"] = "ok" if answers else "does not answer"
    failed = [FieldError(name, state) for name, state in checks.items() if state != "ok"]
    if failed:
        raise APIException(APICode.UNAVAILABLE, errors=failed, headers={"Retry-After": "1"})
    return Readiness(status="ready", checks=checks)


def _only_inside() -> None:
    """Figures are for the operator's own networks; to others these paths do not exist."""
    context = current()
    if not is_inside(context.ip, context.resources.settings.monitoring_networks):
        raise APIException(APICode.ROUTE_NOT_FOUND)


_METRICS = 'xumi_http_requests_total{method="GET",route="/health",status="200"} 42.0\n'


@router.get(
    "/metrics",
    public=True,
    rate_limit=False,
    response_class=Response,
    responses={200: {"content": {"text/plain": {"example": _METRICS}}}},
)
async def get_metrics(request: Request) -> Response:
    """Metrics in Prometheus' text format, of all workers of this server."""
    _only_inside()
    text, content_type = metrics.render()
    return Response(text, headers={"Content-Type": content_type})


class SystemFigures(BaseModel):
    """Use of this machine and of this process. Shares are per cent, sizes bytes."""

    cpu: dict[str, Any] = Field(examples=[{"percent": 12.5, "count": 2, "load_average": [0.4, 0.3, 0.2]}])
    memory: dict[str, Any] = Field(
        examples=[{"percent": 41.0, "total_bytes": 4_294_967_296, "available_bytes": 2_534_030_704}]
    )
    disk: dict[str, Any] = Field(
        examples=[{"percent": 18.0, "total_bytes": 53_687_091_200, "free_bytes": 44_023_414_784}]
    )
    process: dict[str, Any] = Field(
        examples=[
            {
                "pid": 1,
                "uptime_seconds": 86400.5,
                "memory_bytes": 94_371_840,
                "cpu_seconds": 31.27,
                "threads": 9,
            }
        ]
    )


@router.get("/monitoring/metrics", public=True)
async def get_system_figures() -> SystemFigures:
    """CPU, memory, disk and process figures of the machine that answers."""
    import psutil

    _only_inside()
    memory, disk, process = psutil.virtual_memory(), psutil.disk_usage(os.getcwd()), psutil.Process()
    with process.oneshot():
        figures = {
            "pid": process.pid,
            "uptime_seconds": round(time.time() - _STARTED_AT, 1),
            "memory_bytes": process.memory_info().rss,
            "cpu_seconds": round(sum(process.cpu_times()[:2]), 2),
            "threads": process.num_threads(),
        }
    return SystemFigures(
        cpu={
            "percent": psutil.cpu_percent(),
            "count": psutil.cpu_count(),
            "load_average": psutil.getloadavg(),
        },
        memory={"percent": memory.percent, "total_bytes": memory.total, "available_bytes": memory.available},
        disk={"percent": disk.percent, "total_bytes": disk.total, "free_bytes": disk.free},
        process=figures,
    )
