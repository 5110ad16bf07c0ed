{
    "name": "SPP Demonstration",
    "summary": "Six programs, twelve people with a story each, and as many generated households as wanted",
    "version": "17.0.1.0.0",
    "development_status": "Beta",
    "category": "Social Protection",
    "author": "SPP contributors",
    "license": "LGPL-3",
    "depends": ["spp_programs"],
    "external_dependencies": {"python": ["PyYAML"]},
    "data": [
        "security/ir.model.access.csv",
        "views/spp_mis_demo_views.xml",
    ],
    "uninstall_hook": "uninstall_hook",
}
