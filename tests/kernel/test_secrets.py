"""Texts that are stored encrypted, and the change of their key."""

import pytest
from pydantic import SecretStr

from xumi.kernel.config import Settings, running, use
from xumi.kernel.secrets import SecretError, SecretManager

OLD, NEW = "the old key of this test", "the new key of this test"


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_process_settings", None)
    run_with(OLD)


def run_with(keys: str) -> None:
    use(Settings(secret_key=SecretStr(keys)))


@pytest.mark.parametrize("text", ["", "plain", "须弥 🏔", "a\nb\0c", "x" * 100_000])
def test_what_is_encrypted_comes_back(text: str) -> None:
    secret = SecretManager.encrypt(text)
    assert secret.isascii()
    assert not text or text not in secret
    assert SecretManager.decrypt(secret) == text


def test_the_same_text_is_never_stored_alike() -> None:
    assert SecretManager.encrypt("x") != SecretManager.encrypt("x")


def test_a_key_is_changed_without_losing_what_is_stored() -> None:
    stored = SecretManager.encrypt("merchant key")
    run_with(f"{NEW},{OLD}")
    assert SecretManager.decrypt(stored) == "merchant key"
    rotated = SecretManager.rotate(stored)
    run_with(NEW)
    assert SecretManager.decrypt(rotated) == "merchant key"
    with pytest.raises(SecretError, match="SECRET_KEY=new,old"):
        SecretManager.decrypt(stored)
    with pytest.raises(SecretError):
        SecretManager.rotate(stored)


def test_keys_may_have_names() -> None:
    stored = SecretManager.encrypt("x")
    run_with(f"b:{NEW},a:{OLD}")
    assert SecretManager.decrypt(stored) == "x"


def test_every_changed_character_is_noticed() -> None:
    stored = SecretManager.encrypt("x")
    # The last four characters hold bits that base 64 does not use.
    for position in range(len(stored) - 4):
        changed = stored[:position] + ("A" if stored[position] != "A" else "B") + stored[position + 1 :]
        with pytest.raises(SecretError):
            SecretManager.decrypt(changed)


@pytest.mark.parametrize("secret", ["", "not a secret", "ä", "=" * 100])
def test_what_was_never_encrypted_is_refused(secret: str) -> None:
    with pytest.raises(SecretError):
        SecretManager.decrypt(secret)
