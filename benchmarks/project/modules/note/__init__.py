"""Notes: a typed GET and a validated POST without a database, and one that inserts a row. Table: `note_note`."""

from xumi.kernel import Module

MODULE = Module(name="note", title_en="Notes", title_zh="便签")
