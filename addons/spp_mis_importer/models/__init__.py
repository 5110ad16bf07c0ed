from . import spp_registrant_source
from . import spp_mis_mapping
from . import spp_mis_held
from . import spp_mis_conflict
from . import spp_mis_source
from . import spp_mis_preview
from . import spp_mis_upload
from . import spp_mis_board
