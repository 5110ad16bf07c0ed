from . import test_wire_answers
from . import test_wire_messages
