"""Jobs over the API: how far one is for who enqueued it, all of them for administrators. The tables are the kernel's."""

from xumi.kernel.modules import Module

MODULE = Module(
    name="job",
    title_en="Jobs",
    title_zh="任务",
    permissions={
        "job:list": ("List jobs", "查看任务列表"),
        "job:read": ("Read one's own jobs", "查看个人任务"),
        "job:retry": ("Run jobs again", "重试任务"),
        "job:cancel": ("Cancel jobs", "取消任务"),
    },
    grants={"user": ("job:read",)},
)
