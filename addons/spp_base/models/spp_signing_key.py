"""A key pair that our messages are signed with: the private half stays here, the certificate goes to the other side.

next → active → retired. A key is followed by the next one without a gap: make the next key, hand its certificate
to everybody who checks our messages, and only when they have it, use it. Until then the active key signs.
"""

import base64
import datetime
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ..tools.secret_table import SecretTable

PRIVATE_KEYS = SecretTable("spp_signing_key_secret", "spp_signing_key", "key_id")
KEY_BITS = 3072
MIN_KEY_BITS = 2048
VALID_YEARS = 3
# Set by the actions only, also over XML-RPC.
_NOT_WRITTEN = {"state", "certificate", "kid", "valid_until", "replaces_id"}


class SigningKey(models.Model):
    _name = "spp.signing.key"
    _description = "Signing Key"
    _order = "name, id desc"

    name = fields.Char(
        required=True,
        help="Whose key it is: the sender ID that the other side knows us by. It is in the certificate.",
    )
    company_id = fields.Many2one(
        comodel_name="res.company", help="Empty: every company may sign with this key."
    )
    state = fields.Selection(
        selection=[("next", "Next"), ("active", "Active"), ("retired", "Retired")],
        readonly=True,
        required=True,
        default="next",
        copy=False,
    )
    certificate = fields.Text(
        readonly=True, copy=False, help="The public half (PEM), to be handed to whoever checks our messages."
    )
    kid = fields.Char(
        string="Key ID",
        readonly=True,
        copy=False,
        help="SHA-256 of the certificate, base64url: the name under which others know the key.",
    )
    valid_until = fields.Date(readonly=True, copy=False)
    certificate_file = fields.Binary(string="Certificate (File)", compute="_compute_certificate_file")
    certificate_name = fields.Char(compute="_compute_certificate_file")
    private_key = fields.Text(
        string="Private Key to Import",
        compute="_compute_private_key",
        inverse="_inverse_private_key",
        copy=False,
        help="A private key (PEM, RSA, without passphrase) that exists already. It can be set, and is never shown "
        "again. A certificate of its own is made for it, unless one is pasted along with it.",
    )
    has_private_key = fields.Boolean(string="Key Set", compute="_compute_has_private_key")
    replaces_id = fields.Many2one(
        comodel_name="spp.signing.key", string="Follows", readonly=True, copy=False, ondelete="restrict"
    )
    endpoint_ids = fields.One2many(
        comodel_name="spp.endpoint", inverse_name="signing_key_id", string="Used for", readonly=True
    )
    next_step = fields.Char(string="What to do next", compute="_compute_next_step")

    _sql_constraints = [
        ("kid_unique", "UNIQUE(kid)", "This key is here already."),
        ("replaced_once", "UNIQUE(replaces_id)", "The next key for this one was made already."),
    ]

    def init(self):
        PRIVATE_KEYS.make(self.env.cr)

    def _compute_private_key(self):
        self.private_key = False

    def _inverse_private_key(self):
        for key in self:
            if key.private_key:
                key._set_key(*_read_pem(key.private_key))
        self.invalidate_recordset(["private_key", "has_private_key"])

    @api.depends("certificate", "name")
    def _compute_certificate_file(self):
        for key in self:
            key.certificate_file = key.certificate and base64.b64encode(key.certificate.encode())
            key.certificate_name = f"{key.name}.pem"

    @api.depends("certificate")
    def _compute_has_private_key(self):
        known = PRIVATE_KEYS.known(self.env.cr, self.ids)
        for key in self:
            key.has_private_key = key._origin.id in known

    @api.depends("state", "has_private_key")
    def _compute_next_step(self):
        for key in self:
            if not key.has_private_key:
                key.next_step = _("Generate a key pair, or paste a private key.")
            elif key.state == "next":
                key.next_step = _(
                    "Download the certificate and hand it to whoever checks our messages. Once they have it, "
                    "use the key."
                )
            else:
                key.next_step = ""

    @api.depends("name", "kid")
    def _compute_display_name(self):
        for key in self:
            key.display_name = f"{key.name} ({key.kid[:8]})" if key.kid else key.name

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._refuse(vals)
        return super().create(vals_list)

    def write(self, vals):
        self._refuse(vals)
        return super().write(vals)

    def _refuse(self, vals):
        if _NOT_WRITTEN & vals.keys():
            raise UserError(_("What a signing key is, and its state, are set by its actions only."))

    def _write_own(self, vals):
        """Write what only the actions write. The caller has checked who may."""
        return super().write(vals)  # pylint: disable=super-method-mismatch

    @api.ondelete(at_uninstall=False)
    def _unlink_unused(self):
        for key in self:
            if key.state == "active":
                raise UserError(_("%s is in use. Make the next key first.", key.display_name))

    # ------------------------------------------------------------------ actions

    def action_generate(self):
        """Make a key pair and its certificate, signed by the key itself."""
        self._check_may_write()
        for key in self:
            private = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
            key._set_key(private)
        return True

    def action_next_key(self):
        """Make the key that will follow this one. This one goes on signing until the next one is used."""
        self.ensure_one()
        self._check_may_write()
        following = self.create({"name": self.name, "company_id": self.company_id.id})
        following._write_own({"replaces_id": self.id})
        following.action_generate()
        return following._open()

    def action_use(self):
        """Sign with this key from now on; the one it follows is retired, and its private half is deleted."""
        self._check_may_write()
        for key in self:
            if not key.has_private_key:
                raise UserError(_("%s has no private key yet.", key.display_name))
            if key.state != "next":
                raise UserError(_("%s is not a key that waits to be used.", key.display_name))
            old = key.replaces_id
            key._write_own({"state": "active"})
            if old:
                old.endpoint_ids.write({"signing_key_id": key.id})
                old._write_own({"state": "retired"})
                PRIVATE_KEYS.forget(self.env.cr, old.ids)
                old.invalidate_recordset(["has_private_key"])
            self.env["spp.audit.entry"]._log("Signing key used", key, new={"kid": key.kid})
        return True

    # ------------------------------------------------------------------ business

    def _check_may_write(self):
        self.check_access_rights("write")
        self.check_access_rule("write")

    def _open(self):
        return {
            "type": "ir.actions.act_window",
            "res_model": self._name,
            "res_id": self.id,
            "views": [(False, "form")],
        }

    def _get_private_key(self):
        """The private key (PEM), for the one who signs. Never log it, store it, or put it into an error."""
        self.ensure_one()
        private = PRIVATE_KEYS.get(self.env.cr, self.id)
        if not private:
            raise UserError(_("The key %s has no private half here: make the next one.", self.display_name))
        return private

    def _set_key(self, private, certificate=None):
        """Keep a private key, and its certificate."""
        self.ensure_one()
        if self.certificate:
            raise UserError(_("%s has its key. Make the next key instead.", self.display_name))
        certificate = certificate or _self_signed(private, self.name)
        digest = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()
        PRIVATE_KEYS.set(
            self.env.cr,
            self.id,
            private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ).decode(),
        )
        self._write_own(
            {
                "certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(),
                "kid": base64.urlsafe_b64encode(digest).decode().rstrip("="),
                "valid_until": certificate.not_valid_after.date(),
            }
        )
        self.env["spp.audit.entry"]._log("Signing key set", self, new={"kid": self.kid})


def _self_signed(private, name):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    now = datetime.datetime.utcnow()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        # A day ago: clocks differ.
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365 * VALID_YEARS))
        .sign(private, hashes.SHA256())
    )


def _read_pem(text):
    """The private key of a PEM text, and the certificate that stands with it, if any."""
    data = text.strip().encode()
    try:
        private = serialization.load_pem_private_key(data, password=None)
        certificate = x509.load_pem_x509_certificate(data) if b"BEGIN CERTIFICATE" in data else None
    except (ValueError, TypeError) as error:
        raise UserError(
            _("This is no private key that can be read: PEM, without a passphrase, whole from BEGIN to END.")
        ) from error
    if not isinstance(private, rsa.RSAPrivateKey) or private.key_size < MIN_KEY_BITS:
        raise UserError(_("An RSA key of at least %s bits is needed.", MIN_KEY_BITS))
    if certificate and certificate.public_key().public_numbers() != private.public_key().public_numbers():
        raise UserError(_("The certificate is of another key."))
    return private, certificate
