"""Orders, for statements of other features; narrowed to what the caller reaches."""

from sqlalchemy import select

from xumi.modules.shop.order.models import Order

ORDERS = select(Order.id, Order.number, Order.user_id).subquery("shop_order_head")
"""Ids, numbers and owners of orders, for joins."""
