"""Who uses more GPU memory than their slot has, and GPUs that vanish from running servers."""
