from . import cel_schema
from . import ir_module_module
from . import res_partner
from . import spp_cel_variable
from . import spp_rule
from . import spp_rule_version
from . import spp_rule_editor
from . import spp_logic_pack
