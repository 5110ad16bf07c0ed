"""The counterparties of SPP as small real HTTP servers on 127.0.0.1: a source MIS, a SPAR mapper, two payers.

    from sandbox import start

    with start(directory) as urls:
        urls.mis, urls.spar, urls.payer, urls.bridge, urls.control

See README.md for what each answers, its faults and its control endpoints.
"""

import contextlib
import fcntl
import os
from typing import NamedTuple

from .bridge import Bridge
from .mis import Mis
from .payer import Payer
from .server import PortTaken
from .spar import Spar

SERVERS = (Mis, Spar, Payer, Bridge)


class Urls(NamedTuple):
    """Base URLs; `/_sandbox/…` works on each, and `control` is one of them for calls that name their server."""

    mis: str
    spar: str
    payer: str
    bridge: str

    @property
    def control(self):
        return self.mis


class StateTaken(Exception):
    """Another sandbox works on that state directory."""


@contextlib.contextmanager
def start(state_dir, mis_port=0, spar_port=0, payer_port=0, bridge_port=0):
    """Run the servers in threads of this process until the block ends. Port 0: any free one."""
    os.makedirs(state_dir, exist_ok=True)
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(open(os.path.join(state_dir, "lock"), "a+"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system drops it when the process dies
        except BlockingIOError:
            lock.seek(0)
            raise StateTaken(
                f"{state_dir} is in use by the sandbox of process {lock.read() or '?'}"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        servers, addresses = {}, []
        for kind, port in zip(SERVERS, (mis_port, spar_port, payer_port, bridge_port), strict=True):
            server = servers[kind.name] = kind(state_dir)
            server.peers = servers
            stack.callback(server.stop)
            addresses.append(server.start(port))
        yield Urls(*addresses)
