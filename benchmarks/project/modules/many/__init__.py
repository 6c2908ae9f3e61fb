"""Many routes: what finding one of them costs."""

from xumi.kernel import Module

MODULE = Module(name="many", title_en="Many routes", title_zh="许多路由")
