"""From an instructor's text to what students get: pairing, releasing, checking, registering."""
