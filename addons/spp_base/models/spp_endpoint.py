"""An outside system: where it is, how we prove who we are, how long we wait.

The secret can be set and never read back (tools/secret_table.py).
"""

import ipaddress
import ssl
import tempfile
from contextlib import contextmanager, nullcontext
from urllib.parse import urlsplit

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..http.client import Client
from ..http.oauth2 import TokenSource, request_token
from ..http.signature import AS_SENT, SORTED, Signer
from ..tools.own_cursor import on_own_cursor
from ..tools.secret_table import SecretTable

SECRETS = SecretTable("spp_endpoint_secret", "spp_endpoint", "endpoint_id")
# {database, endpoint, and what the token depends on: its source}. Tokens are kept in memory only.
_TOKENS = {}

# A secret was entered for the system behind these; it is not handed to another one.
_SECRET_BELONGS_TO = {
    "base_url",
    "token_url",
    "auth_type",
    "login",
    "database",
    "ca_certificate",
    "allow_plain_http",
}


class Endpoint(models.Model):
    _name = "spp.endpoint"
    _inherit = ["spp.audited.mixin"]
    _description = "Outside System"
    _order = "name, id"

    _audited_fields = (
        "name",
        "active",
        "company_id",
        "base_url",
        "allow_plain_http",
        "auth_type",
        "login",
        "token_url",
        "token_scope",
        "signing_key_id",
        "database",
        "ca_certificate",
    )

    name = fields.Char(required=True)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one(
        comodel_name="res.company",
        help="Empty: every company may use this system.",
    )
    base_url = fields.Char(
        string="Base URL",
        required=True,
        help="Address that all paths of this system start with, for example "
        "https://mapper.example.org/v1. No login or password here.",
    )
    allow_plain_http = fields.Boolean(
        string="Allow Plain HTTP",
        help="Tick only if the way to this system is protected otherwise (a private network inside "
        "one machine room). Without TLS, whoever is on the way reads names, account numbers and "
        "the secret, and can change them. Not needed for a system on this very machine.",
    )
    auth_type = fields.Selection(
        selection=[
            ("none", "None"),
            ("basic", "Login and password with each call (Basic)"),
            ("session", "Login once, then a session cookie"),
            ("bearer", "Token with each call (Bearer)"),
            ("oauth2", "Token from a token server (OAuth2 client credentials)"),
        ],
        string="Authentication",
        required=True,
        default="none",
    )
    login = fields.Char(help="Login, or the client ID that the token server knows us by.")
    token_url = fields.Char(
        string="Token URL", help="Where the token server gives tokens, such as https://id.example.org/token."
    )
    token_scope = fields.Char(
        string="Scope",
        help="What the token is asked for, separated by spaces; only if the other side wants it.",
    )
    signature_form = fields.Selection(
        selection=[
            (SORTED, "Signed: keys sorted, UTF-8 (SPAR 2.x, G2P Bridge on common library 2)"),
            (AS_SENT, "Signed: keys as sent, non-ASCII escaped (SPAR 1.1, G2P Bridge 1.1)"),
        ],
        string="Signed Messages",
        help="Whether each message carries a signature (detached JWS, RS256), and of which form of the JSON. "
        "With the wrong form, messages with accented names are refused.",
    )
    signing_key_id = fields.Many2one(
        comodel_name="spp.signing.key",
        ondelete="restrict",
        domain="[('state', '!=', 'retired')]",
        help="The key we sign with. The other side needs its certificate.",
    )
    signature_kid = fields.Boolean(
        string="Name the Key",
        default=True,
        help="Put the key's ID (kid) into the signature, as who checks against several keys needs.",
    )
    database = fields.Char(help="Only for systems that ask for a database at login, as Odoo does.")
    secret = fields.Char(
        string="Password, Token or Client Secret",
        compute="_compute_secret",
        inverse="_inverse_secret",
        copy=False,
        help="It can be set, and is never shown again. Leave it empty to keep what was set.",
    )
    has_secret = fields.Boolean(string="Secret Set", compute="_compute_has_secret")
    connect_timeout = fields.Float(
        string="Connect Timeout (s)",
        required=True,
        default=10,
        help="Seconds to wait for a connection.",
    )
    total_timeout = fields.Float(
        string="Total Timeout (s)",
        required=True,
        default=60,
        help="Seconds that a whole call may take, from the name look-up to the last byte. Some systems "
        "answer only after they have done the work; a payment system may need minutes.",
    )
    ca_certificate = fields.Text(
        string="CA Certificate",
        help="Certificate (PEM) of the only authority trusted for this system, for systems with "
        "certificates of their own. Empty: the usual public authorities. Certificates are always checked.",
    )
    paused = fields.Boolean(readonly=True, copy=False)
    pause_reason = fields.Char(readonly=True, copy=False)

    _sql_constraints = [
        (
            "timeouts_positive",
            "CHECK (connect_timeout > 0 AND total_timeout > 0)",
            "A timeout is a number of seconds above zero.",
        ),
        (
            "signature_key",
            "CHECK (signature_form IS NULL OR signing_key_id IS NOT NULL)",
            "Choose the key that messages are signed with.",
        ),
        (
            "token_url_given",
            "CHECK (auth_type <> 'oauth2' OR (token_url IS NOT NULL AND login IS NOT NULL))",
            "A token server needs its URL and our client ID.",
        ),
    ]

    def init(self):
        SECRETS.make(self.env.cr)

    def _compute_secret(self):
        self.secret = False

    def _inverse_secret(self):
        for endpoint in self:
            if endpoint.secret:
                SECRETS.set(self.env.cr, endpoint.id, endpoint.secret.strip())
                self.env["spp.audit.entry"]._log("Endpoint's secret set", endpoint)
        # What was just set must not be read back from the cache either.
        self.invalidate_recordset(["secret", "has_secret"])

    def _compute_has_secret(self):
        with_secret = SECRETS.known(self.env.cr, self.ids)
        for endpoint in self:
            endpoint.has_secret = endpoint._origin.id in with_secret

    @api.constrains("base_url", "token_url", "allow_plain_http")
    def _check_urls(self):
        for endpoint in self:
            for name in ("base_url", "token_url"):
                if endpoint[name]:
                    endpoint._check_url(self._fields[name].string, endpoint[name])

    def _check_url(self, label, address):
        try:
            url = urlsplit(address)
            host, _port = url.hostname, url.port
        except ValueError as error:
            raise ValidationError(_("The %s is not a valid address.", label)) from error
        if url.scheme not in ("http", "https") or not host or not address.isprintable():
            raise ValidationError(_("The %s must look like https://host or https://host:port/path.", label))
        if " " in address or url.query or url.fragment:
            raise ValidationError(_("The %s must hold no space, no “?” and no “#”.", label))
        if "@" in url.netloc:
            raise ValidationError(
                _("Put the login and the password in their own fields, not in the %s.", label)
            )
        if url.scheme == "http" and not _is_loopback(host) and not self.allow_plain_http:
            raise ValidationError(
                _(
                    "Calls to %(host)s would travel unprotected. Use https, or tick “Allow Plain HTTP” "
                    "if the way there is protected otherwise.",
                    host=host,
                )
            )

    @api.constrains("ca_certificate")
    def _check_ca_certificate(self):
        for endpoint in self.filtered("ca_certificate"):
            try:
                ssl.create_default_context(cadata=endpoint.ca_certificate.strip())
            except (ssl.SSLError, ValueError) as error:
                raise ValidationError(
                    _(
                        "The CA certificate cannot be read. Paste it whole, from "
                        "“-----BEGIN CERTIFICATE-----” to “-----END CERTIFICATE-----”."
                    )
                ) from error

    def write(self, vals):
        """Who points an endpoint elsewhere, or trusts another authority, does not take the secret along."""
        moved = self.browse()
        if not vals.get("secret"):
            guarded = _SECRET_BELONGS_TO & vals.keys()
            moved = self.filtered(lambda endpoint: any(endpoint[name] != vals[name] for name in guarded))
        result = super().write(vals)
        for endpoint in moved.filtered("has_secret"):
            endpoint.action_forget_secret()
            self.env["spp.audit.entry"]._log("Endpoint changed, its secret forgotten", endpoint)
        return result

    def action_resume(self):
        """Let calls through again."""
        self.check_access_rights("write")
        self.check_access_rule("write")
        self.write({"paused": False, "pause_reason": False})
        return True

    def action_forget_secret(self):
        """Delete the secret."""
        self.check_access_rights("write")
        self.check_access_rule("write")
        SECRETS.forget(self.env.cr, self.ids)
        self.invalidate_recordset(["has_secret"])
        return True

    def _pause(self, reason):
        """Refuse all calls from now on, until somebody looks and resumes.

        For an answer that would come again for every call: a wrong password, a revoked token.
        It stays, even if the caller's transaction is rolled back.
        """
        with on_own_cursor(self) as endpoint:
            endpoint.write({"paused": True, "pause_reason": reason})

    def _get_secret(self):
        """The secret, or None. For the protocols that put it into a login message.

        The one place that reads it. Never log it, store it, or put it into an error.
        """
        self.ensure_one()
        return SECRETS.get(self.env.cr, self.id)

    @contextmanager
    def _client(self):
        """A :class:`~odoo.addons.spp_base.http.client.Client` for this system.

        With *session* authentication the caller logs in first, with ``login``, ``database`` and
        :meth:`_get_secret`; the client keeps the cookie.

        :raise UserError: while the endpoint is paused, with the reason
        """
        # sudo: whoever may start the action (a releaser, a job) need not read endpoints
        endpoint = self.sudo()
        # As of now, not of this transaction's snapshot: another job may just have paused it.
        with on_own_cursor(endpoint) as current:
            paused, reason = current.paused, current.pause_reason
        if paused:
            raise UserError(
                _("%(name)s is paused: %(reason)s", name=endpoint.name, reason=reason or _("no reason given"))
            )
        with _ca_file(endpoint.ca_certificate) if endpoint.ca_certificate else nullcontext(True) as verify:
            options = {
                "connect_timeout": endpoint.connect_timeout,
                "total_timeout": endpoint.total_timeout,
                "verify": verify,
            }
            with Client(
                endpoint.base_url, auth=endpoint._authentication(options), sign=endpoint._signer(), **options
            ) as client:
                yield client

    def _authentication(self, options):
        """What the client is given as ``auth``. Extended where a type of authentication is added.

        :param options: timeouts and verification, for a call that the authentication needs itself
        """
        if self.auth_type == "basic":
            return (self.login or "", self._get_secret() or "")
        if self.auth_type == "bearer":
            return f"Bearer {self._get_secret() or ''}"
        if self.auth_type == "oauth2":
            return self._token_authentication(options)
        return None

    def _token_authentication(self, options):
        """A function that gives the header: the token in memory, or a new one."""
        url, login, scope, secret = self.token_url, self.login, self.token_scope, self._get_secret() or ""
        source = _TOKENS.setdefault((self.env.cr.dbname, self.id, url, login, scope, secret), TokenSource())

        def ask():
            with Client(url, **options) as client:
                return request_token(client, login, secret, scope)

        def authorization(refused=None):
            return f"Bearer {source.token(ask, refused=refused and refused.removeprefix('Bearer '))}"

        return authorization

    def _signer(self):
        """What the client is given as ``sign``."""
        if not self.signature_form:
            return None
        key = self.signing_key_id
        return Signer(key._get_private_key(), self.signature_form, key.kid if self.signature_kid else None)


def _is_loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def _ca_file(pem):
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(pem)
        file.flush()
        yield file.name
