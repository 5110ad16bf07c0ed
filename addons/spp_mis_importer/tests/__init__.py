from . import test_wire_records
from . import test_wire_readers
from . import test_import
from . import test_changes
from . import test_held
from . import test_faults
from . import test_schedule
from . import test_access
