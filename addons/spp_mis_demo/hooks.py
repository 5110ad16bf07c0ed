"""What Odoo does not clean up by itself."""

from .tools import removal


def uninstall_hook(env):
    """Take away the demonstration: its company, and everything that belongs to it."""
    company = env["spp.mis.demo"].sudo().search([]).company_id
    if company:
        removal.remove(env, company)
