"""The letters of accounts. Each is in both languages: whose mailbox it is, is not always known."""

from xumi.kernel import mail
from xumi.modules.account.constants import INVITATION_SECONDS, RESET_SECONDS

_HOUR = 3600


async def send_reset(email: str, username: str, token: str) -> None:
    """The link by which a new password is chosen."""
    link = mail.public_url(f"/reset-password#{token}")
    minutes = RESET_SECONDS // 60
    await mail.send(
        to=email,
        subject="重置密码 / Choose a new password",
        text=(
            f"{username}，您好：\n\n"
            f"请在 {minutes} 分钟内打开以下链接设置新密码，链接只能使用一次：\n\n{link}\n\n"
            "如果您没有申请重置密码，请忽略此邮件，您的密码不会改变。\n\n"
            "----\n\n"
            f"Hello {username},\n\n"
            f"Open this link within {minutes} minutes to choose a new password; it works once:\n\n{link}\n\n"
            "If you have not asked for it, do nothing: your password stays as it is.\n"
        ),
    )


async def send_invitation(email: str, inviter: str, token: str) -> None:
    """The link by which an account is made."""
    link = mail.public_url(f"/accept-invitation#{token}")
    days = INVITATION_SECONDS // (24 * _HOUR)
    await mail.send(
        to=email,
        subject="邀请您注册账号 / You are invited",
        text=(
            f"您好：\n\n{inviter} 邀请您注册账号。请在 {days} 天内打开以下链接，链接只能使用一次：\n\n{link}\n\n"
            "----\n\n"
            f"Hello,\n\n{inviter} invites you to make an account. Open this link within {days} days; it works once:\n\n{link}\n"
        ),
    )


async def send_confirmation(email: str, username: str, token: str) -> None:
    """The link that shows that an address is the account's owner's."""
    link = mail.public_url(f"/confirm-email#{token}")
    minutes = RESET_SECONDS // 60
    await mail.send(
        to=email,
        subject="确认邮箱 / Confirm your address",
        text=(
            f"{username}，您好：\n\n"
            f"请在 {minutes} 分钟内打开以下链接，将此邮箱绑定到您的账号：\n\n{link}\n\n"
            "如果不是您本人操作，请忽略此邮件。\n\n"
            "----\n\n"
            f"Hello {username},\n\n"
            f"Open this link within {minutes} minutes to make this the address of your account:\n\n{link}\n\n"
            "If it was not you who asked for it, do nothing.\n"
        ),
    )


async def send_password_notice(email: str, username: str) -> None:
    """Word that the password has been changed by a link."""
    await mail.send(
        to=email,
        subject="密码已重置 / Your password was changed",
        text=(
            f"{username}，您好：\n\n您的密码已通过邮件链接重置，所有登录均已退出。如果不是您本人操作，请立即联系管理员。\n\n"
            "----\n\n"
            f"Hello {username},\n\nYour password was changed by a link from a letter, and you were signed out everywhere. "
            "If it was not you, tell an administrator at once.\n"
        ),
    )


async def send_address_notice(email: str, username: str) -> None:
    """Word to the address that the account had."""
    await mail.send(
        to=email,
        subject="邮箱已更换 / Your address was changed",
        text=(
            f"{username}，您好：\n\n您的账号已更换为其他邮箱。如果不是您本人操作，请立即联系管理员。\n\n"
            "----\n\n"
            f"Hello {username},\n\nYour account has another e-mail address now. "
            "If it was not you who changed it, tell an administrator at once.\n"
        ),
    )
