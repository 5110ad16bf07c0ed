from . import test_holds
