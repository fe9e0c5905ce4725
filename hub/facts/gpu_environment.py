"""What a person's server is told of its GPU: the hub sets it, the server and its kernels read."""

# "UUID: name" of the device, or "cpu: why"; read by people (`echo $LOGITLAB_GPU`) too.
GPU_VARIABLE = "LOGITLAB_GPU"
# Memory that the server may use of the device, MiB; unset: all of it.
GPU_MIB_VARIABLE = "LOGITLAB_GPU_MIB"

# The reason that is no news to anybody, so that no notice is shown.
NONE_HERE = "this server has no GPU"
