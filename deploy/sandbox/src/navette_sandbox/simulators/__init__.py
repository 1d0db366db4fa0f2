"""The simulated national services: strict, scriptable doubles that share no code with their clients."""
