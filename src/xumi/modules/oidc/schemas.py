"""What goes in and out of the endpoints of OpenID providers."""

from typing import Annotated

from pydantic import Field

from xumi.kernel.schema import InputSchema, SchemaBase


class ProviderOut(SchemaBase):
    """A provider that people can sign in at."""

    name: str = Field(examples=["acme"])
    title: str = Field(examples=["Acme"])
    login_url: str = Field(description="Where a browser goes to sign in.", examples=["/auth/oidc/acme/login"])


class AuthorizationOut(SchemaBase):
    """Where a browser goes next."""

    url: str = Field(
        examples=["https://accounts.example.com/authorize?response_type=code&client_id=xumi&state=b2YtdGhl"]
    )


class CodeExchange(InputSchema):
    """The code that stood behind the `#` after a sign-in at a provider."""

    code: Annotated[str, Field(min_length=1, max_length=200, examples=["Zm9yLXRoZS1leGFtcGxl"])]
