"""What a caller may do now, decided in memory.

A token says who asks, under which roles and epoch. Roles' permissions, ended sessions and raised epochs are a snapshot in
this process; those who own the tables feed it (`xumi.modules.account` and `xumi.modules.access`), so that no request waits for
a query.
"""

from collections.abc import Iterable, Mapping, Set
from types import MappingProxyType

from xumi.kernel import clock
from xumi.kernel.auth import EVERYTHING
from xumi.kernel.auth.principal import Principal
from xumi.kernel.auth.token import CLOCK_SKEW_SECONDS, Claims
from xumi.kernel.errors import APICode, APIException

_MAX_ROLE_SETS = 1000
_NONE: Mapping[str, frozenset[str]] = MappingProxyType({})
_SHOWN = 5


class Access:
    """The snapshot.

    Args:
        token_seconds: life of an access token; what has ended is remembered that long.
    """

    def __init__(self, token_seconds: int) -> None:
        self._remember_seconds = token_seconds + CLOCK_SKEW_SECONDS
        self._roles: dict[str, frozenset[str]] | None = {}
        self._included: Mapping[str, Set[str]] = _NONE
        self._second_factor: Set[str] = frozenset()
        self._role_sets: dict[tuple[str, ...], frozenset[str]] = {}
        self._ended_sessions: dict[str, float] = {}
        self._epochs: dict[str, tuple[int, float]] = {}
        self._seen: set[str] = set()

    def check(self, claims: Claims) -> Principal:
        """The caller that a verified token stands for.

        Raises:
            APIException: TOKEN_INVALID when its session has ended; TOKEN_EXPIRED when the account has changed since, so that
                a client refreshes (which fails where the account has no session any more); DATABASE_UNAVAILABLE while it is
                not known what roles grant.
        """
        if claims.sid in self._ended_sessions:
            raise APIException(APICode.TOKEN_INVALID)
        least = self._epochs.get(claims.sub)
        if least is not None and claims.ver < least[0]:
            raise APIException(APICode.TOKEN_EXPIRED)
        permissions = self._role_sets.get(claims.roles)
        if permissions is None:
            permissions = self._merge(claims.roles)
        self._seen.add(claims.sid)
        return Principal(claims.sub, claims.roles, claims.sid, permissions)

    def allows(self, principal: Principal, permission: str) -> bool:
        """Whether the caller holds a permission."""
        return permission in principal.permissions or EVERYTHING in principal.permissions

    def replace_roles(
        self,
        roles: Mapping[str, Set[str]],
        included: Mapping[str, Set[str]] = _NONE,
        second_factor: Set[str] = frozenset(),
    ) -> None:
        """Set what each role grants; it counts from the next request on.

        Args:
            roles: the enabled roles, each with all that it grants, through roles that it includes too.
            included: those of them that include others: all roles that such a role stands for, itself too.
            second_factor: those whose holders must prove themselves by a second factor.
        """
        self._roles = {role: frozenset(permissions) for role, permissions in roles.items()}
        self._included, self._second_factor = dict(included), frozenset(second_factor)
        self._role_sets.clear()

    def forget_roles(self) -> None:
        """What roles grant is not known: nobody is let in until `replace_roles` tells."""
        self._roles = None
        self._role_sets.clear()

    def has_role(self, role: str) -> bool:
        """Whether there is an enabled role of this name."""
        return role in self._known_roles()

    def roles_of(self, principal: Principal) -> frozenset[str]:
        """The roles that the caller holds, those included in them too; disabled ones do not count."""
        known = self._known_roles()
        held = [role for role in principal.roles if role in known]
        return frozenset(held).union(*(self._included.get(role, ()) for role in held))

    def permissions_of(self, roles: Iterable[str]) -> frozenset[str]:
        """What these roles grant together; unknown and disabled ones grant nothing."""
        known = self._known_roles()
        return frozenset[str]().union(*(known.get(role, ()) for role in roles))

    def requires_second_factor(self, roles: Iterable[str]) -> bool:
        """Whether one of these roles, or one that is included in them, wants a second factor."""
        return any(
            role in self._second_factor or not self._second_factor.isdisjoint(self._included.get(role, ()))
            for role in roles
        )

    def require_all(self, principal: Principal, permissions: Set[str]) -> None:
        """Nobody gives what he does not hold.

        Raises:
            APIException: GRANT_REFUSED, naming some of what the caller lacks.
        """
        missing = permissions - principal.permissions
        if missing and EVERYTHING not in principal.permissions:
            shown = sorted(missing)[:_SHOWN] + ["…"] * (len(missing) > _SHOWN)
            raise APIException(APICode.GRANT_REFUSED, missing=", ".join(shown))

    def revoke_session(self, session_id: str) -> None:
        """End the access tokens of one session. Telling it twice changes nothing."""
        if session_id not in self._ended_sessions:
            self._ended_sessions[session_id] = clock.timestamp() + self._remember_seconds

    def raise_epoch(self, user_id: str, epoch: int) -> None:
        """End the access tokens of a user that carry a smaller epoch. Telling it twice changes nothing."""
        known = self._epochs.get(user_id)
        if known is None or known[0] < epoch:
            self._epochs[user_id] = (epoch, clock.timestamp() + self._remember_seconds)

    def take_seen(self) -> set[str]:
        """The sessions that have asked since the last call."""
        seen, self._seen = self._seen, set()
        return seen

    def least_epochs(self) -> dict[str, int]:
        """The smallest epoch that still counts, by user, of all whose epoch was raised a short while ago."""
        return {user: entry[0] for user, entry in self._epochs.items()}

    def prune(self) -> None:
        """Forget what ended so long ago that no living token is concerned."""
        now = clock.timestamp()
        self._ended_sessions = {sid: until for sid, until in self._ended_sessions.items() if until > now}
        self._epochs = {user: entry for user, entry in self._epochs.items() if entry[1] > now}

    def _merge(self, roles: tuple[str, ...]) -> frozenset[str]:
        permissions = self.permissions_of(roles)
        if len(self._role_sets) >= _MAX_ROLE_SETS:
            self._role_sets.clear()
        self._role_sets[roles] = permissions
        return permissions

    def _known_roles(self) -> dict[str, frozenset[str]]:
        if self._roles is None:
            raise APIException(APICode.DATABASE_UNAVAILABLE, headers={"Retry-After": "1"})
        return self._roles
