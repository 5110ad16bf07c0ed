"""How a payer that calls us back proves who it is: a token that we gave it, its certificate, or both."""

import hashlib
import hmac

from cryptography import x509

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from odoo.addons.spp_base.http.signature import SignatureError, verify
from odoo.addons.spp_base.tools.secret_table import SecretTable

TOKENS = SecretTable("spp_endpoint_callback_token", "spp_endpoint", "endpoint_id")
SHORTEST = 20  # characters of a token


class Endpoint(models.Model):
    _inherit = "spp.endpoint"

    callback_token = fields.Char(
        string="Token of Its Calls",
        compute="_compute_callback_token",
        inverse="_inverse_callback_token",
        copy=False,
        help="The token that this system sends with its calls to us (Bearer). It can be set, and is never shown again; "
        "agree on a long random one.",
    )
    has_callback_token = fields.Boolean(string="Token Set", compute="_compute_has_callback_token")
    callback_certificate = fields.Text(
        string="Certificate of Its Calls",
        help="Certificate (PEM) that the signatures of this system's calls are checked with (detached JWS, RS256). "
        "With a token as well, a call needs both; with neither, none is let in.",
    )

    def init(self):
        result = super().init()
        TOKENS.make(self.env.cr)
        return result

    def _compute_callback_token(self):
        self.callback_token = False

    def _inverse_callback_token(self):
        for endpoint in self:
            token = (endpoint.callback_token or "").strip()
            if not token:
                continue
            if len(token) < SHORTEST or not token.isascii() or not token.isprintable():
                raise UserError(_("A token has at least %s letters and digits.", SHORTEST))
            # What is kept is enough to know the token, and no way back to it.
            TOKENS.set(self.env.cr, endpoint.id, _digest(token))
            self.env["spp.audit.entry"]._log("Token of calls set", endpoint)
        self.invalidate_recordset(["callback_token", "has_callback_token"])

    def _compute_has_callback_token(self):
        known = TOKENS.known(self.env.cr, self.ids)
        for endpoint in self:
            endpoint.has_callback_token = endpoint._origin.id in known

    @api.constrains("callback_certificate")
    def _check_callback_certificate(self):
        for endpoint in self.filtered("callback_certificate"):
            try:
                x509.load_pem_x509_certificate(endpoint.callback_certificate.strip().encode())
            except ValueError as error:
                raise ValidationError(
                    _(
                        "The certificate of its calls cannot be read. Paste it whole, with its first and last line."
                    )
                ) from error

    def write(self, vals):
        changed = self.filtered(
            lambda endpoint: (
                "callback_certificate" in vals
                and (endpoint.callback_certificate or "") != (vals["callback_certificate"] or "")
            )
        )
        result = super().write(vals)
        for endpoint in changed:
            self.env["spp.audit.entry"]._log("Certificate of calls changed", endpoint)
        return result

    def action_forget_callback_token(self):
        """Delete the token: calls that carry it are refused from now on."""
        self.check_access_rights("write")
        self.check_access_rule("write")
        TOKENS.forget(self.env.cr, self.ids)
        self.invalidate_recordset(["has_callback_token"])
        for endpoint in self:
            self.env["spp.audit.entry"]._log("Token of calls forgotten", endpoint)
        return True

    def _may_call(self, authorization, signature, body):
        """Whether a call came from this system: everything that is set must fit, and something must be set."""
        self.ensure_one()
        known = TOKENS.get(self.env.cr, self.id)
        if not self.active or self.paused or not (known or self.callback_certificate):
            return False
        if known:
            scheme, _space, token = (authorization or "").partition(" ")
            # In constant time: how long a comparison takes tells nothing of the token.
            fits = hmac.compare_digest(_digest(token.strip()), known)
            if not fits or scheme.lower() != "bearer":
                return False
        if self.callback_certificate:
            try:
                verify(body, signature, self.callback_certificate.strip(), fields.Datetime.now())
            except SignatureError:
                return False
        return True


def _digest(token):
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
