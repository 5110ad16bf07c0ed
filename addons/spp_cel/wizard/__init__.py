from . import spp_rule_trial
