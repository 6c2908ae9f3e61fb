"""What must always be true of the shop's numbers, as SQL that anybody can read and run.

`invariants.sql` holds the statements; `xumi shop verify` runs them, and so do the tests that attack the shop. No tables. It reads those
of all features of the shop, by their SQL names only.
"""

from xumi.kernel.modules import Module

MODULE = Module(
    name="verification",
    title_en="Verification of the shop",
    title_zh="商城核对",
)
