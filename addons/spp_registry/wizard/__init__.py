from . import spp_household_change_wizard
