{
    "name": "SPP Rules (CEL)",
    "summary": "Eligibility rules in CEL: one SQL statement for everybody, a reason for each one",
    "version": "17.0.1.0.0",
    "development_status": "Beta",
    "category": "Social Protection",
    "author": "SPP contributors",
    "license": "LGPL-3",
    "depends": ["spp_registry"],
    "external_dependencies": {"python": ["cel-python"]},
    "data": [
        "security/ir.model.access.csv",
        "data/spp_cel_variable.xml",
        "wizard/spp_rule_trial_views.xml",
        "views/spp_rule_version_views.xml",
        "views/spp_rule_views.xml",
        "views/spp_cel_variable_views.xml",
    ],
}
