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

CAPTCHA_LENGTH = 5
CAPTCHA_SECONDS = 120
"""How long a captcha can be answered."""

CHALLENGE_SECONDS = 300
"""How long somebody who has given his password may take to give a second factor."""
RECOVERY_CODES = 10

REFRESH_RETRY_SECONDS = 10
"""How long a refresh token that was exchanged may be exchanged again, because the answer was lost."""

DEVICE_COOKIE = "xumi_device"
DEVICE_COOKIE_SECONDS = 365 * 86_400

WATCH_OVERLAP_SECONDS = 60
"""How far back each look at the changes reaches: longer than a transaction lasts and than clocks differ."""
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
