"""``python -m navette_sandbox.simulators.pfi``."""

from navette_sandbox.simulators.common import arguments, config_from, main
from navette_sandbox.simulators.pfi.server import PfiSimulator

if __name__ == "__main__":
    parser = arguments("pfi")
    parser.add_argument("--receipts-host", default="localhost")
    parser.add_argument("--receipts-port", type=int, default=0, help="where receipts go; 0 = nowhere until told")
    options = parser.parse_args()
    main(lambda: PfiSimulator(config_from(options), receipts_to=(options.receipts_host, options.receipts_port)))
