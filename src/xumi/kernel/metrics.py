"""Prometheus metrics of the process, and of all workers together.

With several workers every process writes its counts to a file of its own in `PROMETHEUS_MULTIPROC_DIR` (set by
`xumi run`, before this is imported), and whichever worker is asked for `/metrics` adds them up, those of dead workers too.
Requests are labelled by route template, never by raw path, so that the number of series is bounded.
"""

import os
from pathlib import Path

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_MAX_SERIES = 10_000

REQUESTS = Counter("xumi_http_requests_total", "HTTP requests answered.", ("method", "route", "status"))
DURATION = Histogram(
    "xumi_http_request_duration_seconds",
    "Time from request to last byte.",
    ("method", "route"),
    buckets=_BUCKETS,
)
IN_FLIGHT = Gauge(
    "xumi_http_requests_in_flight", "HTTP requests being answered now.", multiprocess_mode="livesum"
)
ERRORS = Counter("xumi_http_errors_total", "HTTP requests that failed, by error code.", ("code",))
EVENTS_PUBLISHED = Counter(
    "xumi_events_published_total", "Events committed with their transaction.", ("event",)
)
EVENTS_DELIVERED = Counter("xumi_events_delivered_total", "Events that a consumer has taken.", ("consumer",))
EVENTS_FAILED = Counter(
    "xumi_events_failed_total", "Deliveries that failed and are tried again.", ("consumer",)
)
EVENTS_DEAD = Counter(
    "xumi_events_dead_total", "Deliveries given up; `xumi events dead` lists them.", ("consumer",)
)
EVENTS_LAG = Gauge(
    "xumi_events_lag_seconds",
    "Age of the oldest event in the last batch when it was delivered; 0 when nothing waits.",
    multiprocess_mode="livemax",
)

JOBS = Counter(
    "xumi_jobs_total",
    "Runs of jobs that ended: done, failed, retried, cancelled, returned (at a stop), rescued (the worker died), lost.",
    ("name", "outcome"),
)
JOB_DURATION = Histogram("xumi_job_duration_seconds", "Time that a run of a job took.", ("name",))
JOBS_DUE = Gauge(
    "xumi_jobs_due", "Jobs that are due and not begun, in all processes.", multiprocess_mode="livemostrecent"
)
JOBS_OLDEST = Gauge(
    "xumi_jobs_oldest_due_seconds",
    "For how long the oldest of them has been due.",
    multiprocess_mode="livemostrecent",
)

_CACHE_READS = Counter(
    "xumi_cache_reads_total",
    "Values asked of the cache: found, computed, or shared with another one who computed.",
    ("result",),
)
CACHE_HITS = _CACHE_READS.labels("hit")
CACHE_MISSES = _CACHE_READS.labels("miss")
CACHE_SHARED = _CACHE_READS.labels("shared")
CACHE_EVICTIONS = Counter("xumi_cache_evictions_total", "Values that the cache gave up for want of room.")
CACHE_BYTES = Gauge("xumi_cache_bytes", "What the cache in memory holds.", multiprocess_mode="livesum")

# labels() costs 3.5 µs; a child kept here 1.3 (docs/operations/performance.md).
_children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request. `route` is the template; `method` a known HTTP method."""
    children = _children.get((method, route, status))
    if children is None:
        children = REQUESTS.labels(method, route, str(status)), DURATION.labels(method, route)
        if len(_children) < _MAX_SERIES:
            _children[method, route, status] = children
    counter, histogram = children
    counter.inc()
    histogram.observe(seconds)


def observe_job(name: str, outcome: str, seconds: float) -> None:
    """Count one run of a job that has ended."""
    JOBS.labels(name, outcome).inc()
    JOB_DURATION.labels(name).observe(seconds)


def render() -> tuple[bytes, str]:
    """The text that Prometheus scrapes, and its content type."""
    registry = prometheus_client.REGISTRY
    if directory := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        _forget_dead_workers(Path(directory))
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return prometheus_client.generate_latest(registry), prometheus_client.CONTENT_TYPE_LATEST


def _forget_dead_workers(directory: Path) -> None:
    """Drop the gauges of workers that were killed; their counters stay in the sums."""
    import psutil

    for file in directory.glob("gauge_live*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not psutil.pid_exists(pid):
            mark_process_dead(pid)  # type: ignore[no-untyped-call]
