"""G2P Connect disbursement (dialect A, sync pair) in plain Python: no Odoo, no network, no clock.

- `fa`: financial addresses made from templates; refuses what would be half-filled or ambiguous.
- `messages`: the two requests, checked strictly before anything leaves.
- `answers`: what an answer says, read tolerantly, one finding per reference.
- `words`: reason codes in plain words; account numbers hidden from text that others may read.
"""
