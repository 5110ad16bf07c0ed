from . import test_access
from . import test_chains
from . import test_delegation
from . import test_payment_account
from . import test_reminders
from . import test_rounds
from . import test_rule_version
from . import test_separation
