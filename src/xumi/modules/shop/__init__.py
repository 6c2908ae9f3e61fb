"""The shop: a family of features, from the catalogue to the order.

    freight, stock  ←  catalog  ←  cart, favourite
    address, cart, catalog, stock  ←  order  ←  payment, sales

Money is integer fen (0.01 CNY), weights are grams.
"""
