from . import spp_spar_settlement
