"""A row for each table of second factors and API keys."""

from datetime import datetime

from xumi.kernel.db.model import ModelBase
from xumi.modules.account.models import RecoveryCode, SecondFactor
from xumi.modules.apikey.models import ApiKey


def sign_in_rows(user_id: str, now: datetime) -> list[ModelBase]:
    """Rows of one user."""
    key = ApiKey(
        user_id=user_id,
        name="a",
        prefix="a",
        digest="x",
        permissions=[],
        networks=[],
        created_at=now,
        expires_at=now,
        changed_at=now,
    )
    factor = SecondFactor(user_id=user_id, secret="x", last_step=0, created_at=now)
    return [key, factor, RecoveryCode(user_id=user_id, digest="x")]
