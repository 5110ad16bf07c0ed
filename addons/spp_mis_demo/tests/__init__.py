from . import test_as_of
from . import test_demonstration
from . import test_many
from . import test_removal
from . import test_table
