from . import payment
from . import payment_manager
