"""What the containers of compose.yaml run: setup, hub, exchange."""
