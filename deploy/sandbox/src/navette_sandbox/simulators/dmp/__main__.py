"""``python -m navette_sandbox.simulators.dmp``."""

from navette_sandbox.simulators.common import arguments, config_from, main
from navette_sandbox.simulators.dmp.server import DmpSimulator

if __name__ == "__main__":
    main(lambda: DmpSimulator(config_from(arguments("dmp").parse_args())))
