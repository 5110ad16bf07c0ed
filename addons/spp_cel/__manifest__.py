{
    "name": "SPP Rules (CEL)",
    "summary": "Eligibility rules in CEL: one SQL statement for everybody, a reason for each one",
    "version": "17.0.1.0.0",
    "development_status": "Beta",
    "category": "Social Protection",
    "author": "SPP contributors",
    "license": "LGPL-3",
    "depends": ["spp_registry"],
}
