from . import spp_mis_upload
