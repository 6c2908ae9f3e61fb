-- What must be true of the shop at every moment. Each statement returns the rows that break it: none, where all is well. It begins
-- with a line `-- name: what it means`, and ends with a semicolon. They run as they are on SQLite, PostgreSQL, MySQL and MariaDB, and each
-- sees one moment: the shop may go on selling meanwhile.

-- stock-is-its-ledger: the three numbers of a stock are the sums of its movements.
SELECT s.id, s.available, s.reserved, s.sold,
    coalesce(sum(m.available), 0) AS moved_available,
    coalesce(sum(m.reserved), 0) AS moved_reserved,
    coalesce(sum(m.sold), 0) AS moved_sold
FROM shop_stock s LEFT JOIN shop_stock_movement m ON m.sku_id = s.id
GROUP BY s.id, s.available, s.reserved, s.sold
HAVING s.available <> coalesce(sum(m.available), 0)
    OR s.reserved <> coalesce(sum(m.reserved), 0)
    OR s.sold <> coalesce(sum(m.sold), 0);

-- movements-are-what-they-say: only an adjustment changes how many pieces there are; every other kind moves them from one number to another.
SELECT m.id, m.kind, m.available, m.reserved, m.sold
FROM shop_stock_movement m
WHERE NOT (
    m.kind = 'adjusted' AND m.reserved = 0 AND m.sold = 0
    OR m.kind = 'reserved' AND m.reserved > 0 AND m.available = -m.reserved AND m.sold = 0
    OR m.kind = 'released' AND m.available > 0 AND m.reserved = -m.available AND m.sold = 0
    OR m.kind = 'sold' AND m.sold > 0 AND m.reserved = -m.sold AND m.available = 0
    OR m.kind = 'returned' AND m.available > 0 AND m.sold = -m.available AND m.reserved = 0
);

-- nothing-is-negative: no stock, price, total, quantity or amount is below zero.
SELECT 'shop_stock' AS place, id FROM shop_stock WHERE available < 0 OR reserved < 0 OR sold < 0
UNION ALL
SELECT 'shop_sku', id FROM shop_sku WHERE price_fen <= 0 OR weight_grams < 0
UNION ALL
SELECT 'shop_product', id FROM shop_product WHERE price_fen < 0
UNION ALL
SELECT 'shop_cart_line', id FROM shop_cart_line WHERE quantity <= 0
UNION ALL
SELECT 'shop_order', id FROM shop_order WHERE goods_fen < 0 OR freight_fen < 0 OR discount_fen < 0 OR total_fen < 0
UNION ALL
SELECT 'shop_order_line', id FROM shop_order_line
WHERE price_fen <= 0 OR quantity <= 0 OR discount_fen < 0 OR total_fen < 0 OR shipped < 0
UNION ALL
SELECT 'shop_shipment_line', id FROM shop_shipment_line WHERE quantity <= 0
UNION ALL
SELECT 'shop_purchase', id FROM shop_purchase WHERE quantity < 0
UNION ALL
SELECT 'shop_payment', id FROM shop_payment WHERE amount_fen < 0
UNION ALL
SELECT 'shop_refund', id FROM shop_refund WHERE amount_fen <= 0;

-- ordered-goods-have-a-stock: every SKU that was ordered has one.
SELECT DISTINCT l.sku_id AS id
FROM shop_order_line l LEFT JOIN shop_stock s ON s.id = l.sku_id
WHERE s.id IS NULL;

-- reserved-is-unpaid: as many pieces are reserved as unpaid orders have.
SELECT s.id, s.reserved, coalesce(sum(l.quantity), 0) AS unpaid
FROM shop_stock s
LEFT JOIN (
    SELECT l.sku_id, l.quantity FROM shop_order_line l JOIN shop_order o ON o.id = l.order_id WHERE o.state = 'unpaid'
) l ON l.sku_id = s.id
GROUP BY s.id, s.reserved
HAVING s.reserved <> coalesce(sum(l.quantity), 0);

-- sold-is-paid: as many pieces are sold as orders have that are paid, shipped or completed.
SELECT s.id, s.sold, coalesce(sum(l.quantity), 0) AS paid
FROM shop_stock s
LEFT JOIN (
    SELECT l.sku_id, l.quantity FROM shop_order_line l JOIN shop_order o ON o.id = l.order_id
    WHERE o.state IN ('paid', 'shipped', 'completed')
) l ON l.sku_id = s.id
GROUP BY s.id, s.sold
HAVING s.sold <> coalesce(sum(l.quantity), 0);

-- orders-moved-their-stock: what an order did to the stock of each of its SKUs is what its state says.
SELECT o.id, o.state, l.sku_id, l.quantity,
    coalesce(sum(m.available), 0) AS moved_available,
    coalesce(sum(m.reserved), 0) AS moved_reserved,
    coalesce(sum(m.sold), 0) AS moved_sold
FROM shop_order o
JOIN shop_order_line l ON l.order_id = o.id
LEFT JOIN shop_stock_movement m ON m.reference = o.id AND m.sku_id = l.sku_id
GROUP BY o.id, o.state, l.sku_id, l.quantity
HAVING coalesce(sum(m.available), 0) <> CASE WHEN o.state IN ('cancelled', 'closed') THEN 0 ELSE -l.quantity END
    OR coalesce(sum(m.reserved), 0) <> CASE WHEN o.state = 'unpaid' THEN l.quantity ELSE 0 END
    OR coalesce(sum(m.sold), 0) <> CASE WHEN o.state IN ('paid', 'shipped', 'completed') THEN l.quantity ELSE 0 END;

-- lines-add-up: a line costs its price times its quantity, without its part of the discount.
SELECT l.id, l.price_fen, l.quantity, l.discount_fen, l.total_fen
FROM shop_order_line l
WHERE l.total_fen <> l.price_fen * l.quantity - l.discount_fen;

-- orders-add-up: an order has lines; its goods and its discount are theirs, and its total is goods and freight without the discount.
SELECT o.id, o.goods_fen, o.freight_fen, o.discount_fen, o.total_fen,
    sum(l.price_fen * l.quantity) AS lines_goods,
    sum(l.discount_fen) AS lines_discount
FROM shop_order o LEFT JOIN shop_order_line l ON l.order_id = o.id
GROUP BY o.id, o.goods_fen, o.freight_fen, o.discount_fen, o.total_fen
HAVING count(l.id) = 0
    OR o.goods_fen <> coalesce(sum(l.price_fen * l.quantity), 0)
    OR o.discount_fen <> coalesce(sum(l.discount_fen), 0)
    OR o.total_fen <> o.goods_fen + o.freight_fen - o.discount_fen;

-- paid-orders-have-one-payment: an order that was paid has one settled payment, of what it costs; any other order has none.
SELECT o.id, o.state, o.total_fen, count(p.id) AS payments, coalesce(sum(p.amount_fen), 0) AS paid_fen
FROM shop_order o LEFT JOIN shop_payment p ON p.order_id = o.id AND p.settled IS NOT NULL
GROUP BY o.id, o.state, o.total_fen, o.paid_at
HAVING count(p.id) <> CASE WHEN o.paid_at IS NULL THEN 0 ELSE 1 END
    OR count(p.id) = 1 AND coalesce(sum(p.amount_fen), 0) <> o.total_fen;

-- settled-payments-are-paid: a payment is settled if and only if it is paid, and has a time if and only if its money came.
SELECT p.id, p.state, p.settled, p.paid_at
FROM shop_payment p
WHERE p.settled IS NOT NULL AND p.state <> 'paid'
    OR p.settled IS NULL AND p.state = 'paid'
    OR p.paid_at IS NULL AND p.state IN ('paid', 'late')
    OR p.paid_at IS NOT NULL AND p.state NOT IN ('paid', 'late');

-- late-money-goes-back: a payment that came too late has one refund, of all its money.
SELECT p.id, p.amount_fen, count(r.id) AS refunds, coalesce(sum(r.amount_fen), 0) AS refunded_fen
FROM shop_payment p LEFT JOIN shop_refund r ON r.payment_id = p.id
WHERE p.state = 'late'
GROUP BY p.id, p.amount_fen
HAVING count(r.id) <> 1 OR coalesce(sum(r.amount_fen), 0) <> p.amount_fen;

-- refunds-have-a-cause: a refund is of money that came too late, or that paid an order that was cancelled since; and of no more than came.
SELECT r.id, r.amount_fen, p.amount_fen AS paid_fen, p.state, o.state AS order_state
FROM shop_refund r JOIN shop_payment p ON p.id = r.payment_id JOIN shop_order o ON o.id = p.order_id
WHERE r.amount_fen > p.amount_fen
    OR NOT (p.state = 'late' OR p.state = 'paid' AND o.state = 'cancelled');

-- logs-begin-with-the-placing: the log of an order has one entry without a state before it, and the state after it is unpaid.
SELECT o.id, count(c.id) AS beginnings
FROM shop_order o LEFT JOIN shop_order_change c ON c.order_id = o.id AND c.before IS NULL AND c.after = 'unpaid'
GROUP BY o.id
HAVING count(c.id) <> 1;

-- changes-are-legal: every entry of a log is a move that an order can make.
SELECT c.id, c.order_id, c.before, c.after
FROM shop_order_change c
WHERE NOT (
    c.before IS NULL AND c.after = 'unpaid'
    OR c.before IS NOT NULL AND c.before = 'unpaid' AND c.after IN ('paid', 'cancelled', 'closed')
    OR c.before IS NOT NULL AND c.before = 'paid' AND c.after IN ('shipped', 'cancelled')
    OR c.before IS NOT NULL AND c.before = 'shipped' AND c.after = 'completed'
);

-- logs-are-chains: an order leaves a state that it has entered, and enters and leaves each once at most.
SELECT c.id, c.order_id, c.before, c.after
FROM shop_order_change c
WHERE c.before IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM shop_order_change e WHERE e.order_id = c.order_id AND e.after = c.before
)
OR EXISTS (
    SELECT 1 FROM shop_order_change t
    WHERE t.order_id = c.order_id AND t.id <> c.id AND (t.after = c.after OR t.before = c.before)
);

-- logs-end-in-the-state: the state that the log of an order entered and never left is the order's.
SELECT o.id, o.state
FROM shop_order o
WHERE NOT EXISTS (SELECT 1 FROM shop_order_change c WHERE c.order_id = o.id AND c.after = o.state)
    OR EXISTS (SELECT 1 FROM shop_order_change c WHERE c.order_id = o.id AND c.before = o.state);

-- times-are-those-of-the-state: an order has the time of each step that it made, and of no other.
SELECT o.id, o.state, o.paid_at, o.shipped_at, o.completed_at, o.ended_at
FROM shop_order o
WHERE o.paid_at IS NULL AND o.state IN ('paid', 'shipped', 'completed')
    OR o.paid_at IS NOT NULL AND o.state IN ('unpaid', 'closed')
    OR o.shipped_at IS NULL AND o.state IN ('shipped', 'completed')
    OR o.completed_at IS NULL AND o.state = 'completed'
    OR o.completed_at IS NOT NULL AND o.state <> 'completed'
    OR o.ended_at IS NULL AND o.state IN ('cancelled', 'closed')
    OR o.ended_at IS NOT NULL AND o.state NOT IN ('cancelled', 'closed');

-- shipped-is-in-parcels: as many pieces of a line are on their way as its parcels hold, and no more than were bought.
SELECT l.id, l.order_id, l.quantity, l.shipped, coalesce(sum(s.quantity), 0) AS in_parcels
FROM shop_order_line l LEFT JOIN shop_shipment_line s ON s.order_line_id = l.id
GROUP BY l.id, l.order_id, l.quantity, l.shipped
HAVING l.shipped <> coalesce(sum(s.quantity), 0) OR l.shipped > l.quantity;

-- shipped-when-all-is: an order is shipped or completed if and only if every piece of it is on its way; before it is paid nothing is.
SELECT o.id, o.state, sum(l.quantity) AS pieces, sum(l.shipped) AS shipped
FROM shop_order o JOIN shop_order_line l ON l.order_id = o.id
GROUP BY o.id, o.state
HAVING o.state IN ('shipped', 'completed') AND sum(l.shipped) <> sum(l.quantity)
    OR o.state NOT IN ('shipped', 'completed') AND sum(l.shipped) = sum(l.quantity)
    OR o.state NOT IN ('paid', 'shipped', 'completed') AND sum(l.shipped) <> 0;

-- parcels-are-of-their-order: a parcel holds something, and what it holds is of its order.
SELECT p.id, p.order_id, count(l.id) AS parts, sum(CASE WHEN o.order_id <> p.order_id THEN 1 ELSE 0 END) AS strange
FROM shop_shipment p
LEFT JOIN shop_shipment_line l ON l.shipment_id = p.id
LEFT JOIN shop_order_line o ON o.id = l.order_line_id
GROUP BY p.id, p.order_id
HAVING count(l.id) = 0 OR sum(CASE WHEN o.order_id <> p.order_id THEN 1 ELSE 0 END) <> 0;

-- purchases-are-orders: the pieces that count towards a product's limit are those of the user's orders that stand, bought under a limit.
SELECT p.id, p.user_id, p.product_id, p.quantity, coalesce(sum(o.quantity), 0) AS ordered
FROM shop_purchase p
LEFT JOIN (
    SELECT o.user_id, l.product_id, l.quantity FROM shop_order_line l JOIN shop_order o ON o.id = l.order_id
    WHERE l.limited AND o.state NOT IN ('cancelled', 'closed')
) o ON o.user_id = p.user_id AND o.product_id = p.product_id
GROUP BY p.id, p.user_id, p.product_id, p.quantity
HAVING p.quantity <> coalesce(sum(o.quantity), 0);

-- prices-are-the-lowest: the price of a product in lists is that of its cheapest SKU that can be bought, 0 without one.
SELECT p.id, p.price_fen, coalesce(min(s.price_fen), 0) AS lowest_fen
FROM shop_product p LEFT JOIN shop_sku s ON s.product_id = p.id AND s.enabled
GROUP BY p.id, p.price_fen
HAVING p.price_fen <> coalesce(min(s.price_fen), 0);

-- figures-are-the-orders: when no event is on its way, the figures of all days together are those of the orders.
SELECT f.id, f.counted, f.actual
FROM (
    SELECT 'placed' AS id,
        (SELECT coalesce(sum(placed), 0) FROM shop_daily_sales) AS counted,
        (SELECT count(*) FROM shop_order) AS actual
    UNION ALL
    SELECT 'paid',
        (SELECT coalesce(sum(paid), 0) FROM shop_daily_sales),
        (SELECT count(*) FROM shop_order WHERE paid_at IS NOT NULL)
    UNION ALL
    SELECT 'paid_fen',
        (SELECT coalesce(sum(paid_fen), 0) FROM shop_daily_sales),
        (SELECT coalesce(sum(total_fen), 0) FROM shop_order WHERE paid_at IS NOT NULL)
    UNION ALL
    SELECT 'ended',
        (SELECT coalesce(sum(ended), 0) FROM shop_daily_sales),
        (SELECT count(*) FROM shop_order WHERE ended_at IS NOT NULL)
    UNION ALL
    SELECT 'refunded_fen',
        (SELECT coalesce(sum(refunded_fen), 0) FROM shop_daily_sales),
        (SELECT coalesce(sum(total_fen), 0) FROM shop_order WHERE paid_at IS NOT NULL AND state = 'cancelled')
    UNION ALL
    SELECT 'new_customers',
        (SELECT coalesce(sum(new_customers), 0) FROM shop_daily_sales),
        (SELECT count(DISTINCT user_id) FROM shop_order WHERE paid_at IS NOT NULL)
) f
WHERE f.counted <> f.actual
    AND NOT EXISTS (SELECT 1 FROM event_outbox e WHERE NOT e.relayed)
    AND NOT EXISTS (SELECT 1 FROM event_delivery d WHERE d.state = 'pending');

-- figures-are-the-lines: when no event is on its way, what was sold of a product and taken back is what its orders' lines say.
SELECT p.id, p.quantity, p.fen, p.returned, p.returned_fen, l.quantity AS lines_quantity, l.fen AS lines_fen
FROM (
    SELECT product_id AS id, sum(quantity) AS quantity, sum(fen) AS fen,
        sum(returned) AS returned, sum(returned_fen) AS returned_fen
    FROM shop_daily_product GROUP BY product_id
) p
JOIN (
    SELECT l.product_id AS id, sum(l.quantity) AS quantity, sum(l.total_fen) AS fen,
        sum(CASE WHEN o.state = 'cancelled' THEN l.quantity ELSE 0 END) AS returned,
        sum(CASE WHEN o.state = 'cancelled' THEN l.total_fen ELSE 0 END) AS returned_fen
    FROM shop_order_line l JOIN shop_order o ON o.id = l.order_id
    WHERE o.paid_at IS NOT NULL GROUP BY l.product_id
) l ON l.id = p.id
WHERE NOT (p.quantity = l.quantity AND p.fen = l.fen AND p.returned = l.returned AND p.returned_fen = l.returned_fen)
    AND NOT EXISTS (SELECT 1 FROM event_outbox e WHERE NOT e.relayed)
    AND NOT EXISTS (SELECT 1 FROM event_delivery d WHERE d.state = 'pending');

-- cancelled-money-goes-back: when no event is on its way, an order that was cancelled after it was paid has one refund of its payment.
SELECT o.id, o.total_fen, count(r.id) AS refunds, coalesce(sum(r.amount_fen), 0) AS refunded_fen
FROM shop_order o
JOIN shop_payment p ON p.order_id = o.id AND p.settled IS NOT NULL
LEFT JOIN shop_refund r ON r.payment_id = p.id
WHERE o.state = 'cancelled' AND o.total_fen > 0
    AND NOT EXISTS (SELECT 1 FROM event_outbox e WHERE NOT e.relayed)
    AND NOT EXISTS (SELECT 1 FROM event_delivery d WHERE d.state = 'pending')
GROUP BY o.id, o.total_fen
HAVING count(r.id) <> 1 OR coalesce(sum(r.amount_fen), 0) <> o.total_fen;
