"""``python -m navette_sandbox.simulators.annuaire``."""

from navette_sandbox.simulators.annuaire.server import AnnuaireSimulator
from navette_sandbox.simulators.common import arguments, config_from, main

if __name__ == "__main__":
    parser = arguments("annuaire")
    parser.add_argument("--api-key", action="append", default=[], help="accepted keys; any non-empty one without")
    options = parser.parse_args()
    main(lambda: AnnuaireSimulator(config_from(options), api_keys=tuple(options.api_key)))
