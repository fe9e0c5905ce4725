"""Who uses more GPU memory than their place has, and GPUs that vanish from running servers."""
