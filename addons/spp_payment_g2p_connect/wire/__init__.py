"""G2P Connect disbursement in plain Python: no Odoo, no network, no clock.

- `fa`: financial addresses made from templates; refuses what would be half-filled or ambiguous.
- `messages`: the two requests of dialect A (G2P Connect disburse), checked strictly before anything leaves.
- `answers`: what an answer says, read tolerantly, one finding per reference.
- `callbacks`: what a payer of the asynchronous pair sends to us, and how that is acknowledged.
- `bridge`: requests and answers of dialect B (OpenG2P's G2P Bridge), with its envelopes and their counters.
- `words`: reason codes in plain words; account numbers hidden from text that others may read.
"""
