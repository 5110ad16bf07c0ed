"""What stands behind ./spp. Standard library only until the virtual environment is there.

cli.py       the commands and their options
steps.py     progress of the set-up, and failures that say what to do
paths.py     where everything of one checkout lives
packages.py  uv and the virtual environment
odoo_src.py  where Odoo comes from
postgres.py  the database server
database.py  databases: create, update, clone, drop
services.py  processes that run in the background: start, wait, stop
checks.py    ./spp test
bench.py     ./spp bench
"""
