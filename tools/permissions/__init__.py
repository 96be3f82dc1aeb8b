"""What the roles of the template may do: read, checked against what tests used, and told.

`python -m tools.permissions check LEDGER` fails for what is granted and never needed;
`... check --by-resource LEDGER` lists the resources of statements that no test used;
`python -m tools.permissions write` writes docs/permissions.md.
"""
