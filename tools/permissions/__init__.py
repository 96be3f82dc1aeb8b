"""What the roles of the template may do: read, checked against what tests used, and told.

`python -m tools.permissions check LEDGER` fails for what is granted and never needed;
`python -m tools.permissions write` writes docs/permissions.md.
"""
