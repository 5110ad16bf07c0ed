{
    "name": "SPP MIS Importer",
    "summary": "Import of individuals, households and accounts from another MIS",
    "version": "17.0.1.0.0",
    "development_status": "Beta",
    "category": "Social Protection",
    "author": "SPP contributors",
    "license": "LGPL-3",
    "depends": ["spp_programs"],
    "external_dependencies": {"python": ["pydantic"]},
    "data": [
        "security/ir.model.access.csv",
        "security/spp_mis_rules.xml",
        "data/ir_cron.xml",
        "views/spp_mis_held_views.xml",
        "views/spp_mis_mapping_views.xml",
        "views/spp_mis_source_views.xml",
    ],
}
