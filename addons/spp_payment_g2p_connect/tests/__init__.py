from . import test_bridge
from . import test_payment_manager
from . import test_send
from . import test_wire_answers
from . import test_wire_bridge
from . import test_wire_messages
