from . import test_wire
