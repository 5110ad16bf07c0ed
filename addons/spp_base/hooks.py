"""What Odoo does not clean up by itself."""


def uninstall_hook(env):
    """Drop the secrets: their tables have no model, so Odoo does not know them."""
    env.cr.execute("DROP TABLE IF EXISTS spp_endpoint_secret, spp_signing_key_secret")
