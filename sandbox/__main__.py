"""`python -m sandbox --state DIR`: the servers until SIGTERM or Ctrl-C; one JSON line of URLs when ready."""

import argparse
import json
import signal
import sys
import threading

from . import PortTaken, StateTaken, start


def main():
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--state", required=True, metavar="DIR", help="where the servers keep what they know")
    parser.add_argument("--mis-port", type=int, default=18070, help="0: any free port (default %(default)s)")
    parser.add_argument("--spar-port", type=int, default=18071)
    parser.add_argument("--payer-port", type=int, default=18072)
    parser.add_argument("--bridge-port", type=int, default=18073)
    options = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        ports = (options.mis_port, options.spar_port, options.payer_port, options.bridge_port)
        with start(options.state, *ports) as urls:
            print(json.dumps({**urls._asdict(), "control": urls.control}), flush=True)
            stopped.wait()
    except (PortTaken, StateTaken) as error:
        sys.exit(f"sandbox: {error}")


if __name__ == "__main__":
    main()
