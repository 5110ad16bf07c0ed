from . import test_access
from . import test_conflict
from . import test_drain
from . import test_outbox
from . import test_wire
