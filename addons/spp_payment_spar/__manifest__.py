{
    "name": "SPP Payments: SPAR",
    "summary": "Payments wait until SPAR confirms the account",
    "version": "17.0.1.1.0",
    "development_status": "Beta",
    "category": "Social Protection",
    "author": "SPP contributors",
    "license": "LGPL-3",
    "depends": ["spp_programs", "spp_spar_sync"],
    "data": ["views/spp_payment_views.xml"],
    "auto_install": True,
}
