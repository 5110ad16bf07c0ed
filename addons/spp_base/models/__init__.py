from . import spp_signing_key
from . import spp_endpoint
from . import spp_run
from . import spp_run_failure
from . import spp_audit_entry
from . import res_groups
from . import res_users
