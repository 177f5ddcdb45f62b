// The memory limit of a control group: of a container, a Slurm job, a systemd service.
#pragma once

namespace srrl {

// Makes a tensor that would go beyond the limit an error, where the kernel would end the process when its memory is
// used. Does nothing where there is no limit.
void heedMemoryLimit();

}  // namespace srrl
