from . import fund_change
from . import member_decision
from . import cycle_reason
from . import cycle_open
from . import payment_decision
from . import cycle_close
