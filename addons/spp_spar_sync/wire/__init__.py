"""What SPAR mappers speak, in plain Python: no Odoo, no network, no clock.

- `templates`: id and account strings made from templates, refusing what would be ambiguous.
- `outcome`: what an answer means for the one who asked: done, retry, ask first, permanent, stop the endpoint.
- `dialect`: the interface every generation of the wire format implements; `DIALECTS` finds one by its code.
- `g2p_envelope`: SPAR 1.x (G2P Connect envelope, accounts as strings).
- `converge`: what to do next, given what SPAR should hold and what it holds.
"""

from .converge import Step, next_step
from .dialect import Dialect
from .g2p_envelope import G2PEnvelope
from .outcome import Outcome, Reading, Verdict
from .templates import TemplateError, check_template, fill, mask

DIALECTS = {each.code: each for each in (G2PEnvelope(),)}

__all__ = [
    "DIALECTS",
    "Dialect",
    "G2PEnvelope",
    "Outcome",
    "Reading",
    "Step",
    "TemplateError",
    "Verdict",
    "check_template",
    "fill",
    "mask",
    "next_step",
]
