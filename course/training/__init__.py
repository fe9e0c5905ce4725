"""How the shipped checkpoints were made and what they must show; never imported by a notebook."""
