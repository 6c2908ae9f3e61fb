"""HTTP: the pipeline that every request passes, the router that features declare on, and the server."""

from xumi.kernel.http.envelope import Envelope, Failure
from xumi.kernel.http.router import Router, get_router

__all__ = ["Envelope", "Failure", "Router", "get_router"]
