"""An outside system: where it is, how we prove who we are, how long we wait.

The secret can be set and never read back. It lives in a table without a model, so there is
no ORM path to it: no read, search, export, group-by or copy, whatever the access rules are.
"""

import ipaddress
import ssl
import tempfile
from contextlib import contextmanager, nullcontext
from urllib.parse import urlsplit

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import SQL

from ..http.client import Client
from ..tools.own_cursor import on_own_cursor

# A secret was entered for the system behind these; it is not handed to another one.
_SECRET_BELONGS_TO = {"base_url", "auth_type", "login", "database", "ca_certificate", "allow_plain_http"}


class Endpoint(models.Model):
    _name = "spp.endpoint"
    _description = "Outside System"
    _order = "name, id"

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
        ],
        string="Authentication",
        required=True,
        default="none",
    )
    login = fields.Char()
    database = fields.Char(help="Only for systems that ask for a database at login, as Odoo does.")
    secret = fields.Char(
        string="Password or Token",
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
    ]

    def init(self):
        self.env.cr.execute(
            """
            CREATE TABLE IF NOT EXISTS spp_endpoint_secret (
                endpoint_id integer PRIMARY KEY REFERENCES spp_endpoint ON DELETE CASCADE,
                secret text NOT NULL)
            """
        )

    def _compute_secret(self):
        self.secret = False

    def _inverse_secret(self):
        for endpoint in self:
            if endpoint.secret:
                # log_exceptions=False: Odoo would log a failing statement with its values
                self.env.cr.execute(
                    SQL(
                        """
                        INSERT INTO spp_endpoint_secret (endpoint_id, secret) VALUES (%s, %s)
                        ON CONFLICT (endpoint_id) DO UPDATE SET secret = excluded.secret
                        """,
                        endpoint.id,
                        endpoint.secret.strip(),
                    ),
                    log_exceptions=False,
                )
        # What was just set must not be read back from the cache either.
        self.invalidate_recordset(["secret", "has_secret"])

    def _compute_has_secret(self):
        self.env.cr.execute(
            SQL("SELECT endpoint_id FROM spp_endpoint_secret WHERE endpoint_id = ANY(%s)", self.ids)
        )
        with_secret = {endpoint_id for (endpoint_id,) in self.env.cr.fetchall()}
        for endpoint in self:
            endpoint.has_secret = endpoint._origin.id in with_secret

    @api.constrains("base_url", "allow_plain_http")
    def _check_base_url(self):
        for endpoint in self:
            try:
                url = urlsplit(endpoint.base_url)
                host, _port = url.hostname, url.port
            except ValueError as error:
                raise ValidationError(_("The base URL is not a valid address.")) from error
            if url.scheme not in ("http", "https") or not host or not endpoint.base_url.isprintable():
                raise ValidationError(
                    _("The base URL must look like https://host or https://host:port/path.")
                )
            if " " in endpoint.base_url or url.query or url.fragment:
                raise ValidationError(_("The base URL must hold no space, no “?” and no “#”."))
            if "@" in url.netloc:
                raise ValidationError(
                    _("Put the login and the password in their own fields, not in the base URL.")
                )
            if url.scheme == "http" and not _is_loopback(host) and not endpoint.allow_plain_http:
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
        self.env.cr.execute(SQL("DELETE FROM spp_endpoint_secret WHERE endpoint_id = ANY(%s)", self.ids))
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
        self.env.cr.execute(SQL("SELECT secret FROM spp_endpoint_secret WHERE endpoint_id = %s", self.id))
        return (self.env.cr.fetchone() or [None])[0]

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
            with Client(
                endpoint.base_url,
                auth=endpoint._authentication(),
                connect_timeout=endpoint.connect_timeout,
                total_timeout=endpoint.total_timeout,
                verify=verify,
            ) as client:
                yield client

    def _authentication(self):
        """What the client is given as ``auth``. Extended where a type of authentication is added."""
        if self.auth_type == "basic":
            return (self.login or "", self._get_secret() or "")
        if self.auth_type == "bearer":
            return f"Bearer {self._get_secret() or ''}"
        return None


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
