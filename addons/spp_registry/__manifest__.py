{
    "name": "SPP Registry",
    "summary": "Individuals, households, memberships, documents, phones, accounts, areas",
    "version": "17.0.1.0.0",
    "development_status": "Beta",
    "category": "Social Protection",
    "author": "SPP contributors",
    "license": "LGPL-3",
    "depends": ["spp_base"],
    "external_dependencies": {"python": ["python-stdnum"]},
    "data": [
        "security/ir.model.access.csv",
        "security/spp_registry_rules.xml",
        "data/spp_group_kind.xml",
        "data/spp_membership_role.xml",
        "data/spp_identity_type.xml",
    ],
}
