"""What `nvidia-smi` prints, shortened to the parts that are read."""

LISTING = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f)
  MIG 3g.20gb     Device  0: (UUID: MIG-c7384736-a75d-5afc-978f-d2f1294409fd)
  MIG 1g.5gb      Device  1: (UUID: MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d)
GPU 1: NVIDIA GeForce RTX 4090 (UUID: GPU-bbbb852c-d268-c3f3-1b07-005d5ae1dc3f)
GPU 2: NVIDIA A100-SXM4-40GB (UUID: GPU-cccc852c-d268-c3f3-1b07-005d5ae1dc3f)
"""

OLD_LISTING = """\
GPU 0: A100-SXM4-40GB (UUID: GPU-63feeb45-94c6-b9cb-78ea-98e9b7a5be6b)
  MIG 1g.5gb Device 0: (UUID: MIG-GPU-63feeb45-94c6-b9cb-78ea-98e9b7a5be6b/7/0)
  MIG 1c.3g.20gb Device 1: (UUID: MIG-GPU-63feeb45-94c6-b9cb-78ea-98e9b7a5be6b/2/0)
"""

XML = """\
<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log>
  <driver_version>550.54.15</driver_version>
  <gpu id="00000000:07:00.0">
    <product_name>NVIDIA A100-SXM4-40GB</product_name>
    <uuid>GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f</uuid>
    <mig_mode><current_mig>Enabled</current_mig><pending_mig>Enabled</pending_mig></mig_mode>
    <mig_devices>
      <mig_device>
        <index>0</index>
        <gpu_instance_id>1</gpu_instance_id>
        <compute_instance_id>0</compute_instance_id>
        <fb_memory_usage><total>19968 MiB</total><used>19500 MiB</used></fb_memory_usage>
      </mig_device>
      <mig_device>
        <index>1</index>
        <gpu_instance_id>9</gpu_instance_id>
        <compute_instance_id>0</compute_instance_id>
        <fb_memory_usage><total>4864 MiB</total><used>12 MiB</used></fb_memory_usage>
      </mig_device>
    </mig_devices>
    <fb_memory_usage><total>40960 MiB</total><used>N/A</used></fb_memory_usage>
    <processes>
      <process_info>
        <gpu_instance_id>1</gpu_instance_id>
        <compute_instance_id>0</compute_instance_id>
        <pid>4001</pid>
        <type>C</type>
        <process_name>python</process_name>
        <used_memory>15000 MiB</used_memory>
      </process_info>
    </processes>
  </gpu>
  <gpu id="00000000:0F:00.0">
    <product_name>NVIDIA GeForce RTX 4090</product_name>
    <uuid>GPU-bbbb852c-d268-c3f3-1b07-005d5ae1dc3f</uuid>
    <mig_mode><current_mig>N/A</current_mig><pending_mig>N/A</pending_mig></mig_mode>
    <mig_devices>None</mig_devices>
    <fb_memory_usage>
      <total>24564 MiB</total><reserved>300 MiB</reserved>
      <used>24000 MiB</used><free>264 MiB</free>
    </fb_memory_usage>
    <processes>
      <process_info>
        <gpu_instance_id>N/A</gpu_instance_id>
        <compute_instance_id>N/A</compute_instance_id>
        <pid>5001</pid>
        <type>C</type>
        <process_name>python</process_name>
        <used_memory>14000 MiB</used_memory>
      </process_info>
      <process_info>
        <gpu_instance_id>N/A</gpu_instance_id>
        <compute_instance_id>N/A</compute_instance_id>
        <pid>5002</pid>
        <type>C+G</type>
        <process_name>python</process_name>
        <used_memory>N/A</used_memory>
      </process_info>
      <process_info>
        <gpu_instance_id>N/A</gpu_instance_id>
        <compute_instance_id>N/A</compute_instance_id>
        <pid>5003</pid>
        <type>C</type>
        <process_name>python</process_name>
        <used_memory>9000 MiB</used_memory>
      </process_info>
    </processes>
  </gpu>
  <gpu id="00000000:10:00.0">
    <product_name>NVIDIA A100-SXM4-40GB</product_name>
    <uuid>GPU-cccc852c-d268-c3f3-1b07-005d5ae1dc3f</uuid>
    <mig_mode><current_mig>Enabled</current_mig><pending_mig>Enabled</pending_mig></mig_mode>
    <mig_devices>None</mig_devices>
    <fb_memory_usage><total>40960 MiB</total><used>N/A</used></fb_memory_usage>
  </gpu>
</nvidia_smi_log>
"""
