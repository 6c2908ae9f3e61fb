"""Fixed values of accounts."""

USERNAME_MIN_LENGTH = 1
USERNAME_MAX_LENGTH = 64
EMAIL_MAX_LENGTH = 254
PASSWORD_MIN_LENGTH = 8
PASSWORD_MAX_LENGTH = 128
MAX_IDS = 1000
"""How many users one call may delete."""

MAX_ROLES = 50
"""How many roles a user may hold: all stand in his access tokens."""
ROLE_MAX_LENGTH = 64
USERS_AT_A_TIME = 500
"""How many users are locked at a time where many are changed."""

GUESS_WINDOW_SECONDS = 900
MAX_GUESSES = 10
"""How many guesses at a password are evaluated in any `GUESS_WINDOW_SECONDS`, for each subject."""

REFRESH_RETRY_SECONDS = 10
"""How long a refresh token that was exchanged may be exchanged again, because the answer was lost."""

DEVICE_COOKIE = "xumi_device"
DEVICE_COOKIE_SECONDS = 365 * 86_400

WATCH_INTERVAL_SECONDS = 0.5
WATCH_OVERLAP_SECONDS = 60
"""How far back each look at the changes reaches: longer than a transaction lasts and than clocks differ."""
WATCH_TIMEOUT_SECONDS = 5
WATCH_STALE_SECONDS = 30
"""After how long without a look at the changes the log complains."""
PRUNE_INTERVAL_SECONDS = 600

RESET_SECONDS = 3600
"""How long a link to a new password, or to a new address, works."""
MAX_RESETS = 5
RESET_WINDOW_SECONDS = 3600
"""How many such links one address is sent in this time."""
INVITATION_SECONDS = 7 * 86_400
MAX_IDENTITIES = 20

NO_PASSWORD = "!"
"""Begins the hash of an account that has no password: no hash does."""

PRESENCE_INTERVAL_SECONDS = 30
"""How often it is written when sessions were seen."""
ONLINE_SECONDS = 300
"""Who was seen within this time counts as online."""

# Among the passwords that attackers try first, those that are long enough to pass otherwise.
COMMON_PASSWORDS = frozenset(
    (
        "00000000", "000000000", "11111111", "111111111", "1111111111", "11223344", "12341234", "12344321", "123123123",
        "12345678", "123456789", "1234567890", "0123456789", "87654321", "987654321", "0987654321", "66666666", "88888888",
        "abc12345", "abcd1234", "abcdefgh", "a1b2c3d4", "a1234567", "a12345678", "asdfasdf", "asdfghjkl", "1q2w3e4r",
        "1q2w3e4r5t", "1qaz2wsx", "qwerasdf", "qwer1234", "qwerty123", "qwertyui", "qwertyuiop", "zxcvbnm123", "iloveyou",
        "letmein1", "password", "passw0rd", "password1", "p@ssw0rd", "admin123", "administrator", "sunshine", "princess",
        "football", "baseball", "superman", "trustno1", "welcome1", "changeme", "woaini1314", "5201314520",
    )
)  # fmt: skip
