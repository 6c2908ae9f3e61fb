"""The staff: every user with what the company knows of him. Table: `staff_member`. Depends on accounts."""

from xumi.kernel import Module

MODULE = Module(name="staff", title_en="Staff", title_zh="员工", depends=("account",))
