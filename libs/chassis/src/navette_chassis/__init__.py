"""What every Navette service stands on."""
