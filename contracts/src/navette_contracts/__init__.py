"""What the services of Navette say to each other: events, topics, sealed fields, envelope."""
