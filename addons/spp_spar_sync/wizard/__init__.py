from . import spp_spar_clear
from . import spp_spar_pause
from . import spp_spar_settlement
from . import spp_spar_skip
