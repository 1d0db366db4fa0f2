"""``python -m navette_sandbox.simulators.insi --port N --psc-port N --control-port M --pki DIR --state DIR``."""

from navette_sandbox.simulators.common import arguments, config_from, main
from navette_sandbox.simulators.insi.server import InsiSimulator


def _build() -> InsiSimulator:
    options = arguments("insi", ("port", "psc-port")).parse_args()
    return InsiSimulator(config_from(options), psc_port=options.psc_port)


if __name__ == "__main__":
    main(_build)
