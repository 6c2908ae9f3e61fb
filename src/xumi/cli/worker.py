"""`xumi worker`: the work behind requests, without a server."""

import asyncio


def worker() -> None:
    """Deliver events and run jobs until Ctrl-C or SIGTERM; as many of these may run as wanted.

    `xumi run` does the same beside its requests unless WORKER_ENABLED is off.
    """
    from uvicorn.loops.auto import auto_loop_factory

    from xumi.api import create_app
    from xumi.cli.terminal import settings_in_force
    from xumi.kernel.collector import permanent
    from xumi.kernel.db.revisions import heads_reached
    from xumi.kernel.errors import StartError
    from xumi.kernel.http.draining import STOP_SIGNALS
    from xumi.kernel.resources import Resources

    async def work(resources: Resources) -> None:
        stop = asyncio.Event()
        for number in STOP_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        try:
            if not await heads_reached(resources.database.read.runner):
                raise StartError("The database is not up to date: run `xumi db upgrade` first.")
            await resources.start()
            print("Xumi works  (Ctrl-C stops)", flush=True)
            await stop.wait()
        finally:
            await resources.close()

    with permanent():
        app = create_app(settings_in_force(worker_enabled=True))
    # The loop that the server would take.
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(work(app.resources))
