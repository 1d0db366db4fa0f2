"""``python -m navette_sandbox.simulators.mss``."""

from navette_sandbox.simulators.common import arguments, config_from, main
from navette_sandbox.simulators.mss.server import MssSimulator

if __name__ == "__main__":
    options = arguments("mss", ("smtp-port", "imap-port")).parse_args()
    main(lambda: MssSimulator(config_from(options, "smtp_port"), imap_port=options.imap_port))
