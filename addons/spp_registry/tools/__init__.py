from . import deferred, membership, search
