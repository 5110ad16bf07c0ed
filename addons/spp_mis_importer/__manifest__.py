{
    "name": "SPP MIS Importer",
    "summary": "Import of individuals, households and accounts from another MIS",
    "version": "17.0.1.0.0",
    "development_status": "Beta",
    "category": "Social Protection",
    "author": "SPP contributors",
    "license": "LGPL-3",
    "depends": ["spp_programs"],
}
