from . import test_lang_syntax
from . import test_lang_check
from . import test_lang_interpret
from . import test_lang_conformance
