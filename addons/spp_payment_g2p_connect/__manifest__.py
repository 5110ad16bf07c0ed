{
    "name": "SPP Payments: G2P Connect",
    "summary": "Payments and their status over G2P Connect",
    "version": "17.0.1.0.0",
    "development_status": "Beta",
    "category": "Social Protection",
    "author": "SPP contributors",
    "license": "LGPL-3",
    "depends": ["spp_programs"],
    "data": [
        "security/ir.model.access.csv",
        "security/payment_envelope_security.xml",
        "data/payment_callback_data.xml",
        "views/spp_endpoint_views.xml",
        "views/payment_manager_views.xml",
        "views/payment_envelope_views.xml",
    ],
}
