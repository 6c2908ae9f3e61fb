"""Events: what has happened, kept with the transaction in which it happened, and delivered to whoever wants to know.

Delivered at least once, in order for each aggregate; the effect of a consumer happens once. docs/guide/events.md is the guide.
"""

from xumi.kernel.events.consumer import consumer
from xumi.kernel.events.delivery import delivery
from xumi.kernel.events.event import Event
from xumi.kernel.events.outbox import outbox, publish

__all__ = ["Event", "consumer", "delivery", "outbox", "publish"]
