"""What production refuses to run with."""

from pydantic import SecretStr

from xumi.kernel.config.keyring import MIN_PASSWORD_LENGTH, key_ring, secret_weakness
from xumi.kernel.config.settings import Settings

SECRET_NAMES = ("secret_key", "jwt_secret_key")

_MAKE_ONE = 'for example the output of: python -c "import secrets; print(secrets.token_urlsafe(48))"'


def check_production(settings: Settings) -> list[str]:
    """The problems of these settings in production; each says which setting to set, and to what."""
    problems = [problem for name in SECRET_NAMES if (problem := _secret_problem(settings, name))]
    password = settings.initial_admin_password
    weakness = secret_weakness(password.get_secret_value(), MIN_PASSWORD_LENGTH) if password else None
    if weakness:
        problems.append(
            f"INITIAL_ADMIN_PASSWORD {weakness}: set it to a password of its own, or leave it out to get a random one."
        )
    if settings.debug:
        problems.append("DEBUG is on, which shows internals to clients: set DEBUG=false or remove it.")
    if "*" in settings.cors_origins:
        problems.append(
            "CORS_ORIGINS allows every origin: set it to the origins of your own pages, such as https://www.example.com."
        )
    if settings.database_url.startswith("sqlite") and not settings.database_allow_sqlite_in_production:
        problems.append(
            "DATABASE_URL is SQLite: set it to postgresql://user:password@host/name, or, for one machine on which SQLite "
            "is enough, set DATABASE_ALLOW_SQLITE_IN_PRODUCTION=true."
        )
    if settings.mail_url is not None:
        problems += [
            f"{name.upper()} is not set, which MAIL_URL needs: set it to {example}."
            for name, example in (("mail_from", "Name <address>"), ("public_url", "https://www.example.com"))
            if name not in settings.model_fields_set
        ]
    return problems


def _secret_problem(settings: Settings, name: str) -> str | None:
    label = name.upper()
    if name not in settings.model_fields_set:
        return f"{label} is not set: set it to random text of 32 characters or more, {_MAKE_ONE}"
    value: SecretStr = getattr(settings, name)
    keys = key_ring(value)
    for number, key in enumerate(keys, start=1):
        weakness = secret_weakness(key.secret)
        if weakness:
            which = f"{label} (key {number})" if len(keys) > 1 else label
            return f"{which} {weakness}: set it to random text of 32 characters or more, {_MAKE_ONE}"
    return (
        None if keys else f"{label} holds no key: set it to random text of 32 characters or more, {_MAKE_ONE}"
    )
