from . import spp_rule_publish
from . import spp_rule_trial
