{
    "name": "SPP Programs",
    "summary": "Programs, enrollment, cycles, entitlements, funds and payments",
    "version": "17.0.1.0.0",
    "development_status": "Beta",
    "category": "Social Protection",
    "author": "SPP contributors",
    "license": "LGPL-3",
    "depends": ["spp_cel"],
    "data": [
        "security/ir.model.access.csv",
        "security/programs_security.xml",
    ],
}
