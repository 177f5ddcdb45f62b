/**
 * Operators that are not tried: libtorch's internal ones, which trust their arguments (see CONTRIBUTING.md), those that
 * write files or open shared memory, those of other backends, and those that take as long or as much memory as their
 * arguments say.
 */
const pattern =
  /^_|backward|cuda|cudnn|mkldnn|miopen|mps|xpu|fbgemm|record_stream|infinitely|from_file|choose_qparams_optimized|histogramdd|names|vulkan|_test_|debug|_assert|_print|combinations/;

export const leftOut = (name) => pattern.test(name);
