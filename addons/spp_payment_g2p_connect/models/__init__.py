from . import payment_manager
from . import payment_manager_bridge
from . import payment_envelope
from . import payment
