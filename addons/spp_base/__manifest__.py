{
    "name": "SPP Base",
    "summary": "Roles, menus, outbound endpoints, runs and the audit trail",
    "version": "17.0.1.0.0",
    "development_status": "Beta",
    "category": "Social Protection",
    "author": "SPP contributors",
    "license": "LGPL-3",
    "depends": ["base", "web", "mail", "queue_job"],
}
