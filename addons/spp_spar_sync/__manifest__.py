{
    "name": "SPP SPAR Sync",
    "summary": "Accounts kept in step with SPAR, in order",
    "version": "17.0.1.0.0",
    "development_status": "Beta",
    "category": "Social Protection",
    "author": "SPP contributors",
    "license": "LGPL-3",
    "depends": ["spp_registry"],
    "data": [
        "security/ir.model.access.csv",
        "security/spp_spar_security.xml",
        "views/spp_spar_change_views.xml",
        "views/spp_spar_mapper_views.xml",
        "views/spp_payment_account_views.xml",
        "wizard/spp_spar_settlement_views.xml",
        "data/ir_cron.xml",
    ],
}
