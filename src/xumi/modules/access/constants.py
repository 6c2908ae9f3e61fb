"""Fixed values of roles."""

ADMIN = "admin"
"""The role that may do everything, always."""

BUILT_IN_TITLES = {"admin": ("Administrator", "管理员"), "user": ("User", "普通用户")}
"""English and Chinese titles of the roles that Xumi itself declares."""

ROLE_CODE_MAX_LENGTH = 64
ROLE_CODE_PATTERN = r"^[a-z0-9][a-z0-9-]*$"
TITLE_MAX_LENGTH = 100
MAX_CODES = 10_000
"""How many permissions one call may name."""

VERSION_ID = "0" * 26
"""Key of the only row of `access_version`."""
