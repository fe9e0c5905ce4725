"""What a person's server is told of its GPU, beside the variables in `hub.facts.env`."""

# The reason that is no news to anybody, so that no notice is shown.
NONE_HERE = "this server has no GPU"
