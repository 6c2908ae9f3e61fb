"""Error codes of roles."""

from xumi.kernel.errors import APICode, define


class AccessCode(APICode):
    """What can go wrong with roles, beyond the kernel's codes."""

    ROLE_BUILT_IN = define(
        40920,
        en="The role {role} is built in: it can be neither disabled nor deleted.",
        zh="角色 {role} 为内置角色，不能停用或删除。",
    )
    ADMIN_FIXED = define(
        40921,
        en="The role admin grants everything, always: include it in another role, or clone another one.",
        zh="admin 角色始终拥有全部权限，不能修改或复制：可由其他角色包含它，或复制其他角色。",
    )
    ROLE_IN_USE = define(
        40922,
        en="{count} users hold this role: name the role that they get instead in migrate_to.",
        zh="有 {count} 个用户拥有该角色：请用 migrate_to 指定接替的角色。",
    )
    ROLE_INCLUDED = define(
        40923,
        en="Other roles include this one: {roles}. Take it out of them first.",
        zh="该角色被其他角色包含：{roles}。请先将其移出。",
    )
