{
    "name": "SPP Payments: SPAR",
    "summary": "Payments wait until SPAR has confirmed the account",
    "version": "17.0.1.0.0",
    "development_status": "Beta",
    "category": "Social Protection",
    "author": "SPP contributors",
    "license": "LGPL-3",
    "depends": ["spp_programs", "spp_spar_sync"],
    "auto_install": True,
}
