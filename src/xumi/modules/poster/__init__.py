"""Posters: short texts that users put up for all to read; the sample feature of `docs/guide/add-module.md`.

Table: `poster_poster`. Depends on `account` for the author's name.
"""

from xumi.kernel.modules import Module

MODULE = Module(
    name="poster",
    title_en="Posters",
    title_zh="海报",
    depends=("account",),
    permissions={
        "poster:add": ("Put up posters", "发布海报"),
        "poster:list": ("List posters", "查看海报列表"),
    },
    grants={"user": ("poster:add", "poster:list")},
)
