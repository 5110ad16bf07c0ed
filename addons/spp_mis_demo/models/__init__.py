from . import mis_demo
from . import mis_demo_people
