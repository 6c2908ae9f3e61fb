"""Puts a row in every table of the library, for migrations to carry along."""

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

import xumi.kernel.jobs.models as jobs
import xumi.modules.access.models as roles
import xumi.modules.account.models as account
import xumi.modules.apikey.models as apikey
import xumi.modules.menu.models as menu
import xumi.modules.organization.models as organization
import xumi.modules.poster.models as poster
import xumi.modules.shop.catalog.models as catalog
import xumi.modules.shop.freight.models as freight
import xumi.modules.shop.order.models as order
import xumi.modules.shop.payment.models as payment
import xumi.modules.shop.sales.models as sales
import xumi.modules.shop.stock.models as stock
from xumi.kernel import clock
from xumi.kernel.auth.scope import ScopeKind
from xumi.kernel.counters import Counter
from xumi.kernel.db.engine import Database
from xumi.kernel.events.delivery import delivery
from xumi.kernel.events.outbox import outbox
from xumi.kernel.idempotency import IdempotencyKey
from xumi.kernel.locks import Lock
from xumi.modules.audit.models import AuditEntry
from xumi.modules.shop.address.models import Address
from xumi.modules.shop.cart.models import CartLine
from xumi.modules.shop.catalog.enums import BannerTarget
from xumi.modules.shop.favourite.models import Favourite
from xumi.modules.shop.freight.enums import FreightUnit
from xumi.modules.shop.order.enums import OrderState
from xumi.modules.shop.payment.enums import PaymentState
from xumi.modules.shop.stock.enums import MovementKind


async def fill(url: str) -> None:
    """Put a row in every table of the library; a feature's rows stand in a function of their own."""
    database = Database(url)
    async with database.sessions() as session:
        user_id = await fill_account(session)
        fill_kernel(session)
        await fill_access(session)
        await fill_organization(session, user_id)
        await fill_shop(session, user_id)
        await fill_events(session)
        await session.commit()
    await database.close()


async def fill_account(session: AsyncSession) -> str:
    """Rows of accounts, and a poster; returns the user's id."""
    now, user = clock.now(), account.User(username="a", email="a@example.com", password_hash="x")
    session.add(user)
    await session.flush()
    signed_in = account.UserSession(
        user_id=user.id,
        token_hash="x",
        created_at=now,
        last_used_at=now,
        expires_at=now,
        ip="",
        user_agent="",
    )
    key = apikey.ApiKey(
        user_id=user.id,
        name="a",
        prefix="a",
        digest="x",
        permissions=[],
        networks=[],
        created_at=now,
        expires_at=now,
        changed_at=now,
    )
    session.add_all(
        [
            account.UserRole(user_id=user.id, role="user"),
            signed_in,
            account.Guess(subject="a", window=1, current=1, previous=0),
            account.AccessChange(at=now, user_id=user.id, epoch=1),
            account.Identity(user_id=user.id, kind="mobile", key="+86", label="+86", created_at=now),
            account.Invitation(email="a", email_key="a", roles=[], invited_by="a", expires_at=now),
            account.OneTimeToken(
                purpose="a", subject="a", token_hash="x", binding="", created_at=now, expires_at=now
            ),
            account.SecondFactor(user_id=user.id, secret="x", last_step=0, created_at=now),
            account.RecoveryCode(user_id=user.id, digest="x"),
            key,
            poster.Poster(title="t", content="c", author_id=user.id, author="a"),
        ]
    )
    return user.id


def fill_kernel(session: AsyncSession) -> None:
    """Rows of the kernel's own tables, but for events."""
    now = clock.now()
    job = jobs.JobRow(
        name="a.b",
        state=jobs.JobState.QUEUED,
        priority=0,
        due_at=now,
        arguments={},
        attempt=0,
        cancel_requested=False,
        created_at=now,
    )
    session.add_all(
        [
            job,
            jobs.ScheduleEntry(name="a.b", timing="x", next_at=now, paused=False, fencing_token=1),
            jobs.ScheduleRun(name="a.b", tick_at=now, fencing_token=1, created_at=now),
            IdempotencyKey(fingerprint="x", status=200, body=b"x", created_at=now),
            Lock(name="a", token=1, expires=0.0),
            Counter(name="a", value=1, ends=0.0),
        ]
    )


async def fill_access(session: AsyncSession) -> None:
    """Rows of roles and of the audit log; `access_version` has one from its migration."""
    session.add_all(
        [
            roles.AccessPermission(code="a:b", feature="a", title_en="a", title_zh="a"),
            roles.Role(code="a", title_en="a", title_zh="a"),
            AuditEntry(at=clock.now(), actor="a", action="a.b", subject="a:b", request_id="a", ip=""),
            item := menu.MenuItem(kind=menu.MenuKind.LINK, code="a", title_en="a", title_zh="a", order=0),
        ]
    )
    await session.flush()
    session.add_all(
        [
            roles.RolePermission(role="a", permission="a:b"),
            roles.RoleInclude(role="a", included="a"),
            menu.MenuGrant(role="a", item_id=item.id),
        ]
    )


async def fill_organization(session: AsyncSession, user_id: str) -> None:
    """Rows of departments and scopes; `organization_change` has one from its migration."""
    department = organization.Department(code="a", name="a")
    scope = organization.RoleScope(role="a", resource="a", kind=ScopeKind.CUSTOM)
    session.add_all([department, scope])
    await session.flush()
    session.add_all(
        [
            organization.Member(user_id=user_id, department_id=department.id, main=True),
            organization.ScopeDepartment(scope_id=scope.id, department_id=department.id),
        ]
    )


async def fill_shop(session: AsyncSession, user_id: str) -> None:
    """Rows of the shop; `shop_category_tree` has one from its migration."""
    today = clock.now().date()
    template = freight.FreightTemplate(name="a", unit=FreightUnit.PIECE)
    session.add_all([template, category := catalog.Category(name="a")])
    await session.flush()
    product = catalog.Product(
        code="a",
        name="a",
        category_id=category.id,
        freight_template_id=template.id,
        pictures=["a"],
        properties=[{"name": "a", "value": "a"}],
    )
    left = stock.Stock(available=1, reserved=0, sold=1)
    theme = catalog.Theme(name="a", topic_picture="a", head_picture="a")
    banner = catalog.Banner(code="a", name="a")
    session.add_all([product, left, theme, banner])
    await session.flush()
    sku = catalog.Sku(
        id=left.id, product_id=product.id, code="a", options={"a": "a"}, options_key="a", price_fen=1
    )
    rule = {"first": 1, "first_fen": 1, "step": 1, "step_fen": 1}
    movement = {"available": 1, "reserved": 0, "sold": 1}
    session.add_all(
        [
            sku,
            freight.FreightRule(template_id=template.id, provinces=["a"], **rule),
            stock.Movement(sku_id=left.id, kind=MovementKind.ADJUSTED, **movement),
            catalog.ProductSearch(id=product.id, name_terms="'a':1", terms="'a':1"),
            catalog.ThemeProduct(theme_id=theme.id, product_id=product.id),
            catalog.BannerItem(banner_id=banner.id, picture="a", target=BannerTarget.PAGE, target_id="a"),
            Favourite(user_id=user_id, product_id=product.id),
            sales.DailySales(day=today),
            sales.DailyProduct(day=today, product_id=product.id),
            sales.Customer(id=user_id, first_paid_on=today),
        ]
    )
    await session.flush()
    await fill_orders(session, user_id, sku)


async def fill_orders(session: AsyncSession, user_id: str, sku: catalog.Sku) -> None:
    """Rows of an order that is on its way."""
    now, place = clock.now(), {"province": "a", "city": "a", "district": "a", "detail": "a"}
    placed = order.Order(
        number="a",
        user_id=user_id,
        state=OrderState.SHIPPED,
        goods_fen=1,
        freight_fen=0,
        discount_fen=0,
        total_fen=1,
        address=place,
        expires_at=now,
    )
    session.add(placed)
    await session.flush()
    line = order.OrderLine(
        order_id=placed.id,
        sku_id=sku.id,
        product_id=sku.product_id,
        sku_code="a",
        name="a",
        options={},
        price_fen=1,
        quantity=1,
        total_fen=1,
        shipped=1,
    )
    shipment = order.Shipment(order_id=placed.id, carrier="a", tracking_number="a")
    paid = payment.Payment(
        order_id=placed.id, provider="a", state=PaymentState.PAID, amount_fen=1, settled=True
    )
    session.add_all([line, shipment, paid])
    await session.flush()
    session.add_all(
        [
            Address(user_id=user_id, name="a", mobile="a", main=True, **place),
            CartLine(user_id=user_id, sku_id=sku.id, quantity=1, seen_price_fen=1),
            order.OrderChange(order_id=placed.id, after=OrderState.SHIPPED),
            order.ShipmentLine(shipment_id=shipment.id, order_line_id=line.id, quantity=1),
            order.Purchase(user_id=user_id, product_id=sku.product_id, quantity=1),
            payment.Refund(payment_id=paid.id, amount_fen=1, reason="a"),
        ]
    )


async def fill_events(session: AsyncSession) -> None:
    """An event and its delivery."""
    now = clock.now()
    event = {
        "id": "a",
        "name": "a.b",
        "version": 1,
        "aggregate": "a",
        "data": "{}",
        "consumers": "a.b",
        "request_id": "a",
    }
    await session.execute(insert(outbox).values(published_at=now, relayed=True, position=1, **event))
    due = {"consumer": "a.b", "position": 1, "aggregate": "a", "state": "pending", "attempts": 0}
    await session.execute(insert(delivery).values(due_at=now, changed_at=now, **due))
