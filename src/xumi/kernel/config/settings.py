"""What can be configured, and the constants that cannot.

A setting's name in the environment and in files is its attribute name in capitals: `DATABASE_URL`. The description of each
field is its documentation (`docs/reference/configuration.md` is made from it).
"""

import secrets
import sys
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Literal, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from xumi.kernel.config.mail_url import check_mail_url, check_public_url, check_sender


@dataclass(frozen=True)
class Constants:
    """Fixed values that no environment changes and no business owns."""

    TIME_FORMAT: str = "%Y-%m-%d %H:%M:%S"
    DATE_FORMAT: str = "%Y-%m-%d"
    DEFAULT_PAGE_SIZE: int = 10
    MAX_PAGE_SIZE: int = 100


CONSTANTS = Constants()

APP_ENV_ALIASES = {
    "dev": "development",
    "dev:local": "development",
    "local": "development",
    "testing": "test",
    "prod": "production",
}


def _app_env(value: object) -> object:
    return (
        APP_ENV_ALIASES.get(value.strip().lower(), value.strip().lower()) if isinstance(value, str) else value
    )


def _upper(value: object) -> object:
    return value.strip().upper() if isinstance(value, str) else value


def _network(value: Any) -> IPv4Network | IPv6Network:
    return ip_network(value, strict=False)


def _origin(value: object) -> object:
    if value == "*" or not isinstance(value, str):
        return value
    scheme, separator, rest = value.rstrip("/").partition("://")
    if not separator or not scheme or not rest or "/" in rest:
        raise ValueError("must be an origin such as https://shop.example.com, without a path")
    return f"{scheme}://{rest}".lower()


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        import yaml

        try:
            return yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ValueError("must be a list such as a,b or [a, b]") from error
    return [part.strip() for part in value.split(",") if part.strip()]


class Section(BaseModel):
    """A frozen group of settings. A list field also takes a text: `a,b` or `[a, b]`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _split_list(cls, value: Any, info: ValidationInfo) -> Any:
        kind = get_origin(cls.model_fields[info.field_name or ""].annotation)
        return _split(value) if kind in (list, tuple, set, frozenset) else value


def _random_secret() -> SecretStr:
    return SecretStr(secrets.token_urlsafe(48))


def _default_log_format(values: dict[str, Any]) -> Literal["json", "text"]:
    return "text" if values.get("app_env") == "development" and sys.stdout.isatty() else "json"


Origin = Annotated[str, BeforeValidator(_origin)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
AppEnv = Literal["development", "test", "production"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
Seconds = Annotated[float, Field(gt=0)]


class Settings(Section):
    """The kernel's settings. A feature's own are a `Section` that it registers; `section(ItsSettings)` reads them."""

    app_env: Annotated[AppEnv, BeforeValidator(_app_env)] = Field(
        "development",
        description="`development`, `test` or `production`; also read from FLASK_ENV and ENV_MODE.",
    )
    debug: bool = Field(
        False, description="Errors show their internals to the client. Refused in production."
    )
    secret_key: SecretStr = Field(
        default_factory=_random_secret,
        description="Encrypts what `SecretManager` stores. Several keys are separated by commas: the first encrypts, all "
        "decrypt. Required in production; otherwise one is made and kept in `data/secrets.json`.",
    )
    jwt_secret_key: SecretStr = Field(
        default_factory=_random_secret,
        description="Signs access tokens: one secret, or `kid:secret,kid2:secret2` of which the first signs and all verify. "
        "Required in production; otherwise one is made and kept in `data/secrets.json`.",
    )
    database_url: str = Field(
        "sqlite:///data/xumi.db",
        description="`sqlite:///path`, `postgresql://user:password@host/name` or `mysql://user:password@host/name`.",
    )
    database_read_url: str | None = Field(
        None,
        description="A replica of that database, which answers reads outside transactions; of the same kind.",
    )
    database_pool_size: int = Field(
        16, ge=1, le=1000, description="Connections to the database, each process."
    )
    database_allow_sqlite_in_production: bool = Field(False, description="Production may run on SQLite.")
    log_level: Annotated[LogLevel, BeforeValidator(_upper)] = Field(
        "INFO", description="`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`."
    )
    log_format: Literal["json", "text"] = Field(
        default_factory=_default_log_format,
        description="`json` or `text`; unset: `text` on a terminal in development, else `json`.",
    )
    rate_limit_enabled: bool = Field(True, description="Requests are limited.")
    rate_limit_default: str = Field(
        "600/minute", description="Limit of a route that declares none, each client."
    )
    rate_limit_storage_uri: str = Field(
        "memory://",
        description="Where requests are counted: `memory://` (all workers of one server together).",
    )
    cache_max_bytes: int = Field(
        67_108_864, ge=0, description="Memory for cached values, each process; 0 keeps none."
    )
    cors_origins: list[Origin] = Field(
        [], description="Origins of browsers that may call the API; `*` for any."
    )
    trusted_proxies: list[Network] = Field(
        [], description="Addresses or networks of the proxies whose `X-Forwarded-For` counts."
    )
    monitoring_networks: list[Network] = Field(
        [
            ip_network(n)
            for n in ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
        ],
        description="Networks that may read `/metrics` and `/monitoring/metrics`; for others they do not exist.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(5000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    workers: int = Field(1, ge=1, le=256, description="Server processes.")
    worker_enabled: bool = Field(
        True, description="The server also delivers events and runs jobs; off: processes of `xumi worker` do."
    )
    job_concurrency: int = Field(16, ge=1, le=1000, description="Jobs at one time, each process.")
    job_lease_seconds: Seconds = Field(
        30.0,
        description="After this time without a sign of life a worker counts as dead and its jobs run again.",
    )
    job_keep_days: int = Field(30, ge=1, description="How long jobs that have ended can be looked at.")
    request_body_limit_bytes: int = Field(
        1_048_576, ge=0, description="Largest body of a route that declares none."
    )
    request_deadline_seconds: Seconds = Field(
        30.0, description="Longest time for a request of a route that declares none."
    )
    stop_delay_seconds: float = Field(
        0.2,
        ge=0,
        description="How long a stopping server still takes requests while `/readiness` says 503; 5 or more behind a balancer.",
    )
    drain_seconds: Seconds = Field(20.0, description="How long a stopping server waits for running requests.")
    max_concurrent_requests: int = Field(
        1000, ge=1, description="Requests at one time, each process; further ones get 503."
    )
    api_envelope: str = Field(
        "xumi.kernel.http.envelope:Envelope",
        description="Import path of the class that shapes response bodies.",
    )
    docs_enabled: bool = Field(
        default_factory=lambda values: values.get("app_env") != "production",
        description="`/docs`, `/apidocs` and `/openapi.json` are served; unset: except in production.",
    )
    compile_routes: bool = Field(
        True, description="Routes run compiled; off: on FastAPI's own path, to compare."
    )
    public_url: Annotated[str, AfterValidator(check_public_url)] | None = Field(
        None,
        description="Where browsers reach this application, such as `https://www.example.com`: for links in letters and the way "
        "back from OpenID providers; unset: what HOST and PORT say.",
    )
    mail_url: Annotated[str, AfterValidator(check_mail_url)] | None = Field(
        None,
        description="The server that takes letters: `smtp://user:password@host:587` (with STARTTLS; `?tls=none` without) or "
        "`smtps://user:password@host`. Unset: letters are written to the log, or refused in production.",
    )
    mail_from: Annotated[str, AfterValidator(check_sender)] = Field(
        "Xumi <no-reply@localhost>", description="Whom letters are from: an address, or `Name <address>`."
    )
    access_token_seconds: int = Field(900, ge=1, description="Life of an access token.")
    refresh_token_seconds: int = Field(1_209_600, ge=1, description="Life of a session without use.")
    authz_url: Annotated[str, Field(pattern=r"^https?://[^\s/]+")] | None = Field(
        None,
        description="A service that is asked before a request of a signed-in caller goes on; unset: the roles here decide "
        "alone. Where it does not answer, nobody is let in.",
    )
    authz_timeout_seconds: Seconds = Field(1.0, description="How long to wait for its answer.")
    authz_cache_seconds: float = Field(
        5.0, ge=0, description="How long its answer holds for one user and permission; 0 asks each time."
    )
    authz_token: SecretStr | None = Field(None, description="Sent to it as `Authorization: Bearer …`.")
    second_factor_issuer: str = Field(
        "Xumi",
        min_length=1,
        max_length=64,
        description="Under which name authenticator apps show an account.",
    )
    captcha_after_failures: int = Field(
        3, ge=0, description="A sign-in needs a captcha after so many failures; 0: never."
    )
    modules: list[str] = Field(
        ["xumi.modules"], description="Packages whose features are loaded, beside the folder `modules/`."
    )
    initial_admin_username: str = Field("admin", min_length=1, description="Name of the first administrator.")
    initial_admin_password: SecretStr | None = Field(
        None, description="The first administrator's password; unset: a random one, printed once."
    )

    # Values for sections that were not known when the settings were loaded, and the sections made so far.
    _pending: dict[str, Any] = PrivateAttr(default_factory=dict)
    _sections: dict[type[Section], Section] = PrivateAttr(default_factory=dict)
