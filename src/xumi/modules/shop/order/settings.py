"""The section `ORDER__*` of the configuration."""

from pydantic import Field

from xumi.kernel.config import Section


class OrderSettings(Section):
    """How long orders wait."""

    reservation_seconds: int = Field(
        1800, ge=1, le=7 * 86_400, description="How long stock is kept for an order that is not paid."
    )
    complete_after_days: int = Field(
        15,
        ge=1,
        le=365,
        description="Orders on their way are completed so many days after they were shipped.",
    )
