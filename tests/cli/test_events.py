"""`xumi events`: dead letters listed, shown, begun again; what waits for whom."""

from pathlib import Path

import pytest

from tests.cli.conftest import Xumi

MODULE = "from xumi.kernel import Module\nMODULE = Module(name='till', title_en='Till', title_zh='收银')\n"
EVENTS = """from xumi.kernel import Event
class Paid(Event):
    name = "till.paid"
    aggregate = "order_id"
    order_id: str
"""
CONSUMERS = """from modules.till.events import Paid
from xumi.kernel import consumer
@consumer(Paid)
async def give_points(session, event):
    raise ArithmeticError("no points left")
"""
COMMANDS = """from modules.till.events import Paid
from xumi.kernel import Command, clock, publish, unit_of_work
from xumi.kernel.context import current
from xumi.kernel.events.relay import MAX_ATTEMPTS, Relay
class Pay(Command):
    '''Publishes, and tries until the consumer is given up.'''
    name = "pay"
    @staticmethod
    async def run(params):
        async with unit_of_work():
            print(publish(Paid(order_id="order7")))
        relay = Relay(current().resources)
        with clock.travel() as journey:
            for _ in range(MAX_ATTEMPTS):
                while await relay.step() == 0:
                    pass
                journey.move(seconds=700)
"""


@pytest.fixture
def till(tmp_path: Path) -> Path:
    """A project with a feature whose consumer always fails."""
    folder = tmp_path / "modules" / "till"
    folder.mkdir(parents=True)
    files = {"__init__": MODULE, "events": EVENTS, "consumers": CONSUMERS, "commands": COMMANDS}
    for name, content in files.items():
        (folder / f"{name}.py").write_text(content)
    return tmp_path


@pytest.mark.timeout(180)
def test_a_dead_letter_from_the_terminal(xumi_process: Xumi, till: Path) -> None:
    del till
    settings = {"WORKER_ENABLED": "false", "LOG_LEVEL": "critical"}
    assert xumi_process("db", "upgrade").code == 0
    assert "No delivery was given up" in xumi_process("events", "dead").out
    paid = xumi_process("command", "pay", **settings)
    assert paid.code == 0, paid.err
    event = paid.out.split()[0]
    dead = xumi_process("events", "dead").out.splitlines()
    assert dead[1].split()[:4] == [event, "till.give_points", "till.paid", "order7"]
    assert dead[1].endswith("ArithmeticError: no points left")
    shown = xumi_process("events", "show", event).out
    assert '{"order_id":"order7"}' in shown
    assert "dead    till.give_points, 10 attempts" in shown
    assert xumi_process("events", "show", "nothing").code == 2
    assert xumi_process("events", "replay").code == 2
    assert "1 delivery begins again" in xumi_process("events", "replay", event).out
    assert "0 deliveries begin again" in xumi_process("events", "replay", "--all").out
    lag = xumi_process("events", "lag").out.splitlines()
    assert ["till.give_points", "1"] in [line.split()[:2] for line in lag]
