from . import test_demonstration
from . import test_removal
