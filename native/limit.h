// The memory limit of a control group: that of a container, a Slurm job or a systemd service.
#pragma once

namespace srrl {

// Makes an allocation beyond the limit throw, where the kernel would kill the process once the memory is touched. Does
// nothing if there is no limit.
void heedMemoryLimit();

}  // namespace srrl
