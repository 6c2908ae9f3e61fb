"""Products as files: export, the template of an import, and the import itself.

`draft` makes products of the rows of a file, without a database; `difference` says what of them is new or other than what is
there, or wrong; `upload` does it, and `download` writes files.
"""
