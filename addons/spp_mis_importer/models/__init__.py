from . import spp_mis_mapping
from . import spp_mis_held
from . import spp_mis_source
