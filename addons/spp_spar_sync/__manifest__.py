{
    "name": "SPP SPAR Sync",
    "summary": "Accounts kept in step with SPAR, in order",
    "version": "17.0.1.0.0",
    "development_status": "Beta",
    "category": "Social Protection",
    "author": "SPP contributors",
    "license": "LGPL-3",
    "depends": ["spp_registry"],
}
