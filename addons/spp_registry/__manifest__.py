{
    "name": "SPP Registry",
    "summary": "Individuals, households, memberships, documents, phones, accounts, areas",
    "version": "17.0.1.0.0",
    "development_status": "Beta",
    "category": "Social Protection",
    "author": "SPP contributors",
    "license": "LGPL-3",
    "depends": ["spp_base"],
}
