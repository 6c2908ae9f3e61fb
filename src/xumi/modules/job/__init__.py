"""Jobs over the API: how far one is for who enqueued it, all of them for administrators. The tables are the kernel's."""

from xumi.kernel.modules import Module

MODULE = Module(
    name="job",
    title_en="Jobs",
    title_zh="任务",
    grants={"user": ("job:read",)},
)
