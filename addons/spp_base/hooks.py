"""What Odoo does not clean up by itself."""


def uninstall_hook(env):
    """Drop the secrets: their table has no model, so Odoo does not know it."""
    env.cr.execute("DROP TABLE IF EXISTS spp_endpoint_secret")
