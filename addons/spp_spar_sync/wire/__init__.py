"""What SPAR mappers speak, in plain Python: no Odoo, no network, no clock.

- `templates`: id and account strings made from templates, refusing what would be ambiguous.
- `outcome`: what an answer means for the one who asked: done, retry, ask first, permanent, stop the endpoint.
- `dialect`: the interface every generation of the wire format implements; `DIALECTS` finds one by its code.
- `g2p_envelope`: SPAR 1.x (G2P Connect envelope, accounts as strings).
- `g2p_request`: SPAR 2.x (`request_header`/`request_body`, accounts as typed objects).
- `reading`: what both have in common in their answers.
- `converge`: what to do next, given what SPAR should hold and what it holds.
"""

from .converge import Step, next_step
from .dialect import Dialect, Recipe
from .g2p_envelope import G2PEnvelope
from .g2p_request import G2PRequest
from .outcome import Outcome, Reading, Verdict
from .templates import TemplateError, check_template, fill

DIALECTS = {each.code: each for each in (G2PEnvelope(), G2PRequest())}

__all__ = [
    "DIALECTS",
    "Dialect",
    "G2PEnvelope",
    "G2PRequest",
    "Outcome",
    "Reading",
    "Recipe",
    "Step",
    "TemplateError",
    "Verdict",
    "check_template",
    "fill",
    "next_step",
]
