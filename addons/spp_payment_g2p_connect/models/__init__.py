from . import spp_endpoint
from . import payment_manager
from . import payment_manager_bridge
from . import payment_envelope
from . import payment
from . import payment_manager_async
