"""The audit log: who changed whose access, and what it was before and after.

Table: `audit_entry`. Depends on no other feature; others call `audit.service.record`. Entries are added in the transaction of the
change that they tell of, and no endpoint changes or deletes one. Endpoint: `/api/v1/audit`.
"""

from xumi.kernel.modules import Module

MODULE = Module(
    name="audit",
    title_en="Audit log",
    title_zh="审计日志",
    permissions={"audit:list": ("Read the audit log", "查看审计日志")},
)
