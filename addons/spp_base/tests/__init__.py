from . import test_access
from . import test_audit
from . import test_endpoint
from . import test_http_client
from . import test_oauth2
from . import test_signature
from . import test_runs
from . import test_users
