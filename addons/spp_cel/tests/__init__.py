from . import test_lang_syntax
from . import test_lang_check
from . import test_lang_interpret
from . import test_lang_conformance
from . import test_agreement
from . import test_statement
from . import test_rule
from . import test_access
