"""What other registries say over HTTP, read into plain records. No Odoo in here, and no HTTP of its own.

    with endpoint._client() as client:
        reader = JsonRpcReader(client, Login("mis_src", "mis_api", password))
        reader.login()
        page = reader.individuals(after=0, limit=500)

`session` logs in and out and tells errors in plain words; `jsonrpc`, `suite`, `rest` and `files` are the readers; all
hand on rows of one shape, which `records` turns into Individual, Group and Membership.
"""

from .errors import SourceDown, SourceError
from .files import FileReader
from .jsonrpc import JsonRpcReader
from .records import Bad, BadRecord, Group, Individual, Membership, Page, parse
from .rest import RestReader
from .session import Login
from .suite import SuiteReader
