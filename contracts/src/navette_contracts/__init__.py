"""Event models, topic catalogue and sealed fields of Navette."""
