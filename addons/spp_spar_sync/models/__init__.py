from . import spp_spar_counter
from . import spp_spar_change
from . import spp_spar_mapper
from . import spp_spar_clearance
from . import spp_payment_account
from . import payment_account_flag
from . import res_partner
from . import spp_identity_document
