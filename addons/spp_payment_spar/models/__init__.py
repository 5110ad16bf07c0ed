from . import spp_payment
from . import spp_spar_change
