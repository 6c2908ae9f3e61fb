"""What a caller may do now, decided in memory.

A token says who asks, under which roles and epoch. Roles' permissions, ended sessions and raised epochs are a snapshot in
this process; whoever owns the tables feeds it (`xumi.modules.account` does), so that no request waits for a query.
"""

from collections.abc import Mapping, Set

from xumi.kernel import clock
from xumi.kernel.auth import EVERYTHING
from xumi.kernel.auth.principal import Principal
from xumi.kernel.auth.token import CLOCK_SKEW_SECONDS, Claims
from xumi.kernel.errors import APICode, APIException

_MAX_ROLE_SETS = 1000


class Access:
    """The snapshot.

    Args:
        token_seconds: life of an access token; what has ended is remembered that long.
    """

    def __init__(self, token_seconds: int) -> None:
        self._remember_seconds = token_seconds + CLOCK_SKEW_SECONDS
        self._roles: dict[str, frozenset[str]] = {}
        self._role_sets: dict[tuple[str, ...], frozenset[str]] = {}
        self._ended_sessions: dict[str, float] = {}
        self._epochs: dict[str, tuple[int, float]] = {}

    def check(self, claims: Claims) -> Principal:
        """The caller that a verified token stands for.

        Raises:
            APIException: TOKEN_INVALID when its session has ended; TOKEN_EXPIRED when the account has changed since, so that
                a client refreshes (which fails where the account has no session any more).
        """
        if claims.sid in self._ended_sessions:
            raise APIException(APICode.TOKEN_INVALID)
        least = self._epochs.get(claims.sub)
        if least is not None and claims.ver < least[0]:
            raise APIException(APICode.TOKEN_EXPIRED)
        permissions = self._role_sets.get(claims.roles)
        if permissions is None:
            permissions = self._merge(claims.roles)
        return Principal(claims.sub, claims.roles, claims.sid, permissions)

    def allows(self, principal: Principal, permission: str) -> bool:
        """Whether the caller holds a permission."""
        return permission in principal.permissions or EVERYTHING in principal.permissions

    def replace_roles(self, roles: Mapping[str, Set[str]]) -> None:
        """Set what each role grants; it counts from the next request on."""
        self._roles = {role: frozenset(permissions) for role, permissions in roles.items()}
        self._role_sets.clear()

    def revoke_session(self, session_id: str) -> None:
        """End the access tokens of one session. Telling it twice changes nothing."""
        if session_id not in self._ended_sessions:
            self._ended_sessions[session_id] = clock.timestamp() + self._remember_seconds

    def raise_epoch(self, user_id: str, epoch: int) -> None:
        """End the access tokens of a user that carry a smaller epoch. Telling it twice changes nothing."""
        known = self._epochs.get(user_id)
        if known is None or known[0] < epoch:
            self._epochs[user_id] = (epoch, clock.timestamp() + self._remember_seconds)

    def prune(self) -> None:
        """Forget what ended so long ago that no living token is concerned."""
        now = clock.timestamp()
        self._ended_sessions = {sid: until for sid, until in self._ended_sessions.items() if until > now}
        self._epochs = {user: entry for user, entry in self._epochs.items() if entry[1] > now}

    def _merge(self, roles: tuple[str, ...]) -> frozenset[str]:
        permissions = frozenset[str]().union(*(self._roles.get(role, ()) for role in roles))
        if len(self._role_sets) >= _MAX_ROLE_SETS:
            self._role_sets.clear()
        self._role_sets[roles] = permissions
        return permissions
