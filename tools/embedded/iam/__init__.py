"""Who may do what: the policies of deployed roles, enforced on every call that a role makes.

Independent of moto, whose own enforcement asks for `*` where AWS asks for an ARN, and knows no
conditions. `policy` and `conditions` judge, `needs` says what a call needs, `guard` brings the two
together for one account. `actions.json` is what AWS documents of each action.
"""
