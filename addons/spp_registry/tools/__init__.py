from . import deferred, membership
