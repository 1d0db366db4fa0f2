"""``python -m navette_sandbox.simulators.insi --port N --control-port M --pki DIR --state DIR [--data FILE]``."""

from navette_sandbox.simulators.common import arguments, config_from, main
from navette_sandbox.simulators.insi.server import InsiSimulator

if __name__ == "__main__":
    main(lambda: InsiSimulator(config_from(arguments("insi").parse_args())))
